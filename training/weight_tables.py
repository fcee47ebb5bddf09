"""The weight network's recipe on real tables: ``python -m training.weight_tables TABLES.npz``.

The tables give grey-level histograms, a site code and the aspect of real container scans with their mass in kg. They carry no
licence: nothing that is learnt from them is kept. Five folds; rows that are nearly alike are kept in one fold. A ridge regression on the
same columns in the same folds stands beside.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch

from training.data import chains
from training.weight_network import QuantileBag, fit

FOLDS, ROUNDS, ALIKE = 5, 60, 0.02
_SITES = slice(20, 40)


def features(table: np.ndarray) -> np.ndarray:
    """Give (n, k) features of (n, 41) rows: 20 histogram bins, 20 site flags, aspect."""
    shares = table[:, :20] / table[:, :20].sum(axis=1, keepdims=True)
    aspect = table[:, 40:]
    mean = shares @ -np.log((np.arange(20) + 0.5) / 20)[:, None]
    sums = np.cumsum(shares, axis=1)[:, :-1]
    shape = [mean, mean * aspect, mean / aspect.clip(0.3), np.log(aspect.clip(0.1)), aspect]
    return np.concatenate([np.log(shares + 1e-3), np.sqrt(shares), sums, *shape, _sites(table)], axis=1)


def _sites(table: np.ndarray) -> np.ndarray:
    sites = table[:, _SITES]
    return sites[:, sites.sum(axis=0) > 0]


def groups(table: np.ndarray) -> np.ndarray:
    """Give (n,) group numbers: rows whose histograms differ by less than 2 % in all are one group, and so are chains of them."""
    shares = table[:, :20] / table[:, :20].sum(axis=1, keepdims=True)
    return chains(len(table), lambda row: np.flatnonzero(np.abs(shares[row + 1 :] - shares[row]).sum(axis=1) < ALIKE) + row + 1)


def ridge(columns: np.ndarray, mass: np.ndarray, train: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Give the predictions of a ridge regression (penalty 1 on standardised columns)."""
    middle, spread = columns[train].mean(axis=0), columns[train].std(axis=0) + 1e-9
    rows = (columns - middle) / spread
    known = rows[train]
    weights = np.linalg.solve(known.T @ known + np.eye(rows.shape[1]), known.T @ (mass[train] - mass[train].mean()))
    return rows[test] @ weights + mass[train].mean()


def evaluate(table: np.ndarray, mass: np.ndarray, seed: int) -> dict[str, float]:
    """Give the errors over all folds, each row predicted by a network that never saw it or its likes."""
    group = groups(table)
    numbers = np.unique(group)
    fold_of = dict(zip(numbers, np.random.default_rng(seed).permutation(len(numbers)) % FOLDS, strict=True))
    fold = np.array([fold_of[number] for number in group])
    shares = table[:, :20] / table[:, :20].sum(axis=1, keepdims=True)
    columns, inputs = np.concatenate([shares, _sites(table), table[:, 40:]], axis=1), features(table)
    seen, linear = np.zeros((len(mass), 3)), np.zeros(len(mass))
    for number in range(FOLDS):
        train, test = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        middle, spread = mass[train].mean(), mass[train].std()
        bag = fit(inputs[train], (mass[train] - middle) / spread, np.ones(len(train)), ROUNDS, seed)
        seen[test] = predict(bag, inputs[test]) * spread + middle
        linear[test] = ridge(columns, mass, train, test)
    error, plain = np.abs(seen[:, 1] - mass), np.abs(linear - mass)
    return {
        "rows": float(len(mass)),
        "groups": float(len(numbers)),
        "mae_kg": round(float(error.mean()), 1),
        "ridge_mae_kg": round(float(plain.mean()), 1),
        "over_ridge": round(float(error.mean() / plain.mean()), 4),
        "median_error": round(float(np.median(error / mass)), 4),
        "p90_error": round(float(np.percentile(error / mass, 90)), 4),
        "covered_by_90": round(float(((mass >= seen[:, 0]) & (mass <= seen[:, 2])).mean()), 4),
    }


def predict(bag: QuantileBag, inputs: np.ndarray) -> np.ndarray:
    """Give (n, 3) quantiles."""
    with torch.inference_mode():
        return bag(torch.tensor(inputs, dtype=torch.float32)).numpy()


def main() -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    tables = "arrays X (n, 41): 20 histogram bins, 20 site flags, aspect; and weight_kg (n,)"
    parser.add_argument("tables", type=Path, metavar="TABLES.npz", help=tables)
    parser.add_argument("--seed", type=int, default=0, help="of folds and weights (default: %(default)s)")
    args = parser.parse_args()
    torch.set_num_threads(1)
    with np.load(args.tables, allow_pickle=False) as tables:
        print(json.dumps(evaluate(tables["X"], tables["weight_kg"], args.seed), indent=1))


if __name__ == "__main__":
    main()
