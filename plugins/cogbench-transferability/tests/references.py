"""Plain implementations of the scores of features, by their formulas and with loops: no code of the estimators."""

from itertools import permutations

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax
from scipy.stats import spearmanr
from sklearn.datasets import load_digits, load_iris
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture
from sklearn.preprocessing import StandardScaler


def random_wide():
    rng = np.random.default_rng(7)
    labels = np.arange(40) % 4
    return rng.normal(size=(40, 90)) + 0.6 * rng.normal(size=(4, 90))[labels], labels


def digits():
    x, y = load_digits(return_X_y=True)
    return x[:300], y[:300]


DATA = {"iris": load_iris(return_X_y=True), "digits": digits(), "random with n < d": random_wide()}


def logistic(x, y, penalty):
    """Return a function to log-probabilities: -log p, summed, plus half the penalty of the weights is least."""
    n_classes, d = y.max() + 1, x.shape[1]
    onehot = np.eye(n_classes)[y]

    def loss(flat):
        weights, bias = flat[: d * n_classes].reshape(d, n_classes), flat[d * n_classes :]
        logp = log_softmax(x @ weights + bias, axis=1)
        error = np.exp(logp) - onehot
        slope = np.concatenate([(x.T @ error + penalty * weights).ravel(), error.sum(axis=0)])
        return -(onehot * logp).sum() + penalty / 2 * np.square(weights).sum(), slope

    options = {"maxiter": 5000, "ftol": 1e-14, "gtol": 1e-9, "maxfun": 20000}
    found = minimize(loss, np.zeros((d + 1) * n_classes), jac=True, method="L-BFGS-B", options=options).x
    weights, bias = found[: d * n_classes].reshape(d, n_classes), found[d * n_classes :]
    return lambda other: log_softmax(other @ weights + bias, axis=1)


def probe_reference(x, y, parts, classes, penalty=1.0):
    """Return accuracy and likelihood, or R², of the given parts (folds), each answered by a model of the others."""
    likely, right, error = [], [], []
    for part in parts:
        others = np.setdiff1d(np.arange(len(y)), part)
        scaler = StandardScaler().fit(x[others])
        a, b = scaler.transform(x[others]), scaler.transform(x[part])
        if classes:
            logp = logistic(a, y[others], penalty)(b)
            likely.extend(logp[np.arange(len(part)), y[part]])
            right.extend(logp.argmax(axis=1) == y[part])
        else:
            mean = y[others].mean()
            weights = np.linalg.solve(a.T @ a + penalty * np.eye(a.shape[1]), a.T @ (y[others] - mean))
            error.extend((b @ weights + mean - y[part]) ** 2)
    if classes:
        return np.mean(right), np.mean(likely)
    return 1 - np.sum(error) / np.square(y - y.mean()).sum()


def parc_reference(x, y):
    z = StandardScaler().fit_transform(x)
    unlike, apart = [], []
    for i in range(len(z)):
        for j in range(i + 1, len(z)):
            unlike.append(round(1 - np.corrcoef(z[i], z[j])[0, 1], 12))
            apart.append(float(y[i] != y[j]))
    return spearmanr(unlike, apart).statistic


def transrate_reference(x, y, epsilon=1e-4, unit_trace=True, equal=False):
    def rate(z):
        return np.linalg.slogdet(np.eye(z.shape[1]) + z.T @ z / (len(z) * epsilon))[1] / 2

    z = x - x.mean(axis=0)
    if unit_trace:
        z = z / np.sqrt(np.trace(z @ z.T))
    classes = np.unique(y)
    return rate(z) - sum((1 / len(classes) if equal else np.mean(y == c)) * rate(z[y == c]) for c in classes)


def gbc_reference(x, y, kind, dims=64):
    z = PCA(min(dims, np.linalg.matrix_rank(x - x.mean(axis=0))), svd_solver="full").fit_transform(x)
    total = 0.0
    for c in np.unique(y):
        for e in np.unique(y):
            if c == e:
                continue
            covariances = [np.diag(z[y == k].var(axis=0)) for k in (c, e)]
            if kind == "spherical":
                covariances = [np.eye(z.shape[1]) * np.trace(s) / z.shape[1] for s in covariances]
            mean = (covariances[0] + covariances[1]) / 2
            apart = z[y == c].mean(axis=0) - z[y == e].mean(axis=0)
            logs = np.linalg.slogdet(mean)[1] - sum(np.linalg.slogdet(s)[1] for s in covariances) / 2
            total += np.exp(-apart @ np.linalg.inv(mean) @ apart / 8 - logs / 2)
    return -total


def nleep_reference(x, y, ratio, seed=0):
    """As released code does it, but with the logarithm of the paper; features of unit variance in all."""
    z = PCA(0.8, svd_solver="full").fit_transform(x)
    z = z / np.sqrt(np.square(z).sum() / len(z))
    theta = GaussianMixture(ratio * len(np.unique(y)), random_state=seed).fit(z).predict_proba(z)
    total = 0.0
    joint = np.array([[theta[y == c, v].sum() / len(y) for v in range(theta.shape[1])] for c in np.unique(y)])
    for i in range(len(y)):
        total += np.log(sum(joint[y[i], v] / joint[:, v].sum() * theta[i, v] for v in range(theta.shape[1])))
    return total / len(y)


def hsic(k, l):  # noqa: E741
    n = len(k)
    h = np.eye(n) - 1 / n
    return np.trace(k @ h @ l @ h) / (n - 1) ** 2


def cka_reference(x, y):
    k, l = x @ x.T, y @ y.T  # noqa: E741
    return hsic(k, l) / np.sqrt(hsic(k, k) * hsic(l, l))


def unbiased_hsic(k, l):  # noqa: E741
    """By all i, j, q, r that differ: the mean of k_ij (l_ij + l_qr - 2 l_iq)."""
    n, total = len(k), 0.0
    for i, j, q, r in permutations(range(n), 4):
        total += k[i, j] * (l[i, j] + l[q, r] - 2 * l[i, q])
    return total / (n * (n - 1) * (n - 2) * (n - 3))
