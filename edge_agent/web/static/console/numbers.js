/**
 * Identifiers that were asked for. They are personal data: held in this page's memory only, and the site journals each asking.
 * @module
 */
import { post } from './api.js';
import { clean } from './texts.js';

const AT_ONCE = 50;

/** @type {Map<string, string>} value by token */
const values = new Map();

/** @param {string | null | undefined} token */
export const numberOf = (token) => (token ? values.get(token) : undefined);

/**
 * Ask for the identifiers of some scans.
 * @param {{site: string, scan_id: string}[]} scans
 * @returns {Promise<number>} how many values came
 */
export async function askNumbers(scans) {
  let came = 0;
  for (const [site, ids] of bySite(scans)) {
    for (let at = 0; at < ids.length; at += AT_ONCE) {
      const answer = await post('/api/identities', { site, scan_ids: ids.slice(at, at + AT_ONCE) });
      answer.values.forEach((/** @type {any} */ one) => values.set(one.token, clean(one.value)));
      came += answer.values.length;
    }
  }
  return came;
}

/** @param {{site: string, scan_id: string}[]} scans */
function bySite(scans) {
  /** @type {Map<string, string[]>} */
  const sites = new Map();
  for (const { site, scan_id } of scans) sites.set(site, [...(sites.get(site) ?? []), scan_id]);
  return sites;
}
