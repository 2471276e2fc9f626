"""Losses of metric learning as pure functions of embeddings, written with `keras.ops`; nothing here has weights.

An anchor is compared with keys: other embeddings of the same batch, or of a memory. Letters: B anchors, K keys, D
dimension, C classes. Each loss is a scalar, the mean over the anchors that have what it needs; where none has, it is 0.
"""

import math

from keras import ops

FAR = 1e9  # stands for infinity where a masked similarity must not be chosen


def unit(embeddings):
    """Embeddings scaled to length 1; (B, D) → (B, D). Zeros stay zeros, and have a gradient of zero."""
    squares = ops.sum(ops.square(embeddings), axis=-1, keepdims=True)
    return embeddings * ops.rsqrt(ops.maximum(squares, 1e-12))


def nt_xent_one_way(first, second, temperature: float):
    """The thesis's words in section 4.3 h: "minimise the distance between positive pairs while maximising the distance
    between negatives", every image's first view against all B second views; scalar.

    Differs from SimCLR's NT-Xent (Chen et al., 2020, equation 1), which is `sup_con` by `view`: one view asks, B − 1
    negatives. This is InfoNCE, van den Oord et al. (2018), equation 4.
    """
    similarity = ops.matmul(unit(first), ops.transpose(unit(second))) / temperature
    return ops.mean(ops.logsumexp(similarity, axis=1) - ops.diagonal(similarity))


def sup_con(anchors, keys, positive, candidate, temperature: float):
    """Supervised contrastive loss; scalar. For each anchor the mean over its positives of −log softmax.

    Source: Khosla et al. (2020), "Supervised Contrastive Learning", equation 2 (L_out).

    Args:
        anchors: (B, D). keys: (K, D).
        positive: bool (B, K), which keys an anchor should be near: same label, same product, other view.
        candidate: bool (B, K), which keys stand in the softmax: all but the anchor itself and empty slots.
    """
    similarity = ops.matmul(unit(anchors), ops.transpose(unit(keys))) / temperature
    positive = ops.cast(ops.logical_and(positive, candidate), similarity.dtype)
    masked = ops.where(candidate, similarity, -FAR)
    log_share = similarity - ops.logsumexp(masked, axis=1, keepdims=True)
    count = ops.sum(positive, axis=1)
    mean = ops.sum(positive * log_share, axis=1) / ops.maximum(count, 1.0)
    return _mean_where(-mean, count > 0)


def triplet_batch_hard(anchors, keys, positive, candidate, margin: float):
    """max(0, farthest positive − nearest negative + margin) by Euclidean distance of unit vectors; scalar.

    Source: Hermans et al. (2017), "In Defense of the Triplet Loss", equation 5. Thesis section 3.4 has the formula.
    """
    distance = _distances(anchors, keys)
    positive = ops.logical_and(positive, candidate)
    negative = ops.logical_and(ops.logical_not(positive), candidate)
    farthest = ops.max(ops.where(positive, distance, -FAR), axis=1)
    nearest = ops.min(ops.where(negative, distance, FAR), axis=1)
    usable = ops.logical_and(ops.any(positive, axis=1), ops.any(negative, axis=1))
    return _mean_where(ops.relu(farthest - nearest + margin), usable)


def triplet_semi_hard(anchors, keys, positive, candidate, margin: float):
    """For each positive pair the nearest negative that is farther than the positive, or, where there is none, the
    farthest negative; scalar, the mean over positive pairs of max(0, d_p − d_n + margin), squared distances.

    Source: Schroff et al. (2015), "FaceNet", section 3.2. The fallback is that of TensorFlow Addons.
    """
    distance = ops.square(_distances(anchors, keys))
    positive = ops.logical_and(positive, candidate)
    negative = ops.logical_and(ops.logical_not(positive), candidate)
    beyond = ops.logical_and(negative[:, None, :], distance[:, None, :] > distance[:, :, None])
    nearest = ops.min(ops.where(beyond, distance[:, None, :], FAR), axis=2)
    farthest = ops.max(ops.where(negative, distance, -FAR), axis=1)[:, None]
    chosen = ops.where(ops.any(beyond, axis=2), nearest, farthest)
    pairs = ops.logical_and(positive, ops.any(negative, axis=1)[:, None])
    return _mean_where(ops.relu(distance - chosen + margin), pairs)


def image_text(images, texts, same, temperature: float):
    """Each image against all texts and each text against all images, with every image of a text right; scalar.

    The mean of both directions of −log softmax, averaged over what is right. Source: Radford et al. (2021), "Learning
    Transferable Visual Models From Natural Language Supervision", figure 3, with several right answers as in Yang et
    al. (2022), "Unified Contrastive Learning in Image-Text-Label Space", equations 3 to 5.

    Args:
        images: (B, D). texts: (B, D), each image's own.
        same: bool (B, B), which image has which text.
    """
    similarity = ops.matmul(unit(images), ops.transpose(unit(texts))) / temperature
    right = ops.cast(same, similarity.dtype)

    def one_way(scores, right):
        log_share = scores - ops.logsumexp(scores, axis=1, keepdims=True)
        count = ops.sum(right, axis=1)
        return _mean_where(-ops.sum(right * log_share, axis=1) / ops.maximum(count, 1.0), count > 0)

    return (one_way(similarity, right) + one_way(ops.transpose(similarity), ops.transpose(right))) / 2


def contrastive(anchors, keys, positive, candidate, margin: float):
    """Positives are pulled to similarity 1, negatives pushed below `margin`; scalar.

    Per anchor the mean of 1 − s over its positives plus the mean of s over its negatives with s above the margin.
    Source: Wang et al. (2020), "Cross-Batch Memory for Embedding Learning", section 3.1, the pair weights of the
    contrastive loss. https://arxiv.org/abs/1912.06798
    Differs: there an anchor's pairs are summed. A sum grows with the batch, the class and the memory (172 where the
    mean is 1.0, of articleType in a memory of 4,096), so that no weight of a term would suit two of them, and it found
    less: mAP .572 against .585 trained by articleType, .486 against .521 by product (each judged by the same; a head on
    frozen features of 80×64, a quarter of the groups, the validated part, one seed).
    """
    similarity = ops.matmul(unit(anchors), ops.transpose(unit(keys)))
    positive = ops.logical_and(positive, candidate)
    hard = ops.logical_and(ops.logical_and(ops.logical_not(positive), candidate), similarity > margin)
    pulled = _row_mean(1.0 - similarity, positive)
    pushed = _row_mean(similarity, hard)
    return _mean_where(pulled + pushed, ops.any(candidate, axis=1))


# the losses that compare anchors with keys, and those that compare the two views of each image: a loss that a parameter
# names is the function of that name
PAIRS = {loss.__name__: loss for loss in (sup_con, triplet_batch_hard, triplet_semi_hard, contrastive)}
VIEWS = {loss.__name__: loss for loss in (nt_xent_one_way,)}


def cosines(embeddings, centres):
    """Cosine similarity to the nearest of each class's centres; (B, D) and (C, S, D) → (B, C)."""
    return ops.max(ops.einsum("bd,csd->bcs", unit(embeddings), unit(centres)), axis=-1)


def arcface_logits(embeddings, centres, labels, scale: float, margins):
    """Logits with an angle added to the right class: scale · cos(θ + margin); (B, C).

    Source: Deng et al. (2019), "ArcFace", equation 3; several centres per class, of which the nearest counts:
    Deng et al. (2020), "Sub-center ArcFace". Where θ + margin would pass π the cosine is continued linearly, so that
    the loss keeps falling as the angle does.

    Args:
        embeddings: (B, D). centres: (C, S, D), S per class. labels: int (B,).
        margins: radians, one number or one per class (C,).
    """
    cosine = ops.clip(cosines(embeddings, centres), -1.0 + 1e-6, 1.0 - 1e-6)
    margin = ops.take(ops.broadcast_to(ops.convert_to_tensor(margins, cosine.dtype), (ops.shape(cosine)[1],)), labels)
    right = ops.take_along_axis(cosine, labels[:, None], axis=1)[:, 0]
    angle = ops.arccos(right) + margin
    moved = ops.where(angle <= math.pi, ops.cos(angle), -1.0 - (angle - math.pi))
    chosen = ops.one_hot(labels, ops.shape(cosine)[1], dtype=cosine.dtype)
    return scale * (cosine + chosen * (moved - right)[:, None])


def cross_entropy(logits, labels):
    """Softmax cross-entropy; scalar. A label of −1 is none, and its row is left out."""
    known = labels >= 0
    log_share = logits - ops.logsumexp(logits, axis=1, keepdims=True)
    right = ops.take_along_axis(log_share, ops.maximum(labels, 0)[:, None], axis=1)[:, 0]
    return _mean_where(-right, known)


def _distances(anchors, keys):
    similarity = ops.matmul(unit(anchors), ops.transpose(unit(keys)))
    return ops.sqrt(ops.maximum(2.0 - 2.0 * similarity, 1e-12))


def _row_mean(values, mask):
    mask = ops.cast(mask, values.dtype)
    return ops.sum(values * mask, axis=1) / ops.maximum(ops.sum(mask, axis=1), 1.0)


def _mean_where(values, mask):
    mask = ops.cast(mask, values.dtype)
    return ops.sum(values * mask) / ops.maximum(ops.sum(mask), 1.0)
