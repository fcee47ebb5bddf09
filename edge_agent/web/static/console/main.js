/**
 * Start: who is logged in, the texts, then the shell and the page that the address names.
 * @module
 */
import { get, madeFor, onSessionEnd } from './api.js';
import { Feed } from './feed.js';
import { applyTheme, preferredLanguage } from './prefs.js';
import { SessionGate } from './session.js';
import { Shell } from './shell.js';
import { useTexts } from './texts.js';

applyTheme();
const [me, session] = await Promise.all([get('/api/me'), get('/me')]);
madeFor(session.name);
useTexts(await get(`/api/texts/${preferredLanguage(me.languages)}`));
const gate = new SessionGate(session);
onSessionEnd(() => gate.again());
const feed = new Feed();
const shell = new Shell(/** @type {HTMLElement} */ (document.getElementById('app')), { ...me, login: session.login }, feed);
shell.begin();
feed.open();
