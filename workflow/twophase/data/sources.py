"""Sizes of the data sets that are known before they are read: images, their shape, classes; and of an epoch."""

TRAIN_SIZES = {
    "digits": 1437,
    "mnist": 60_000,
    "fashionmnist": 60_000,
    "kmnist": 60_000,
    "cifar10": 50_000,
    "cifar100": 50_000,
    "svhn": 73_257,
}
TEST_SIZES = {
    "digits": 360,
    "mnist": 10_000,
    "fashionmnist": 10_000,
    "kmnist": 10_000,
    "cifar10": 10_000,
    "cifar100": 10_000,
    "svhn": 26_032,
}
IMAGES = {  # channels, height, width
    "digits": (1, 8, 8),
    **dict.fromkeys(("mnist", "fashionmnist", "kmnist"), (1, 28, 28)),
    **dict.fromkeys(("cifar10", "cifar100", "svhn"), (3, 32, 32)),
}
OWN = ("imagefolder", "text")  # the user's, whose sizes only reading them tells
NUM_CLASSES = {name: 100 if name == "cifar100" else 10 for name in TRAIN_SIZES}


def iterations_per_epoch(size: int, batch_size: int) -> int:
    """Batches in one pass over `size` samples; the last, partial one is kept."""
    return -(-size // batch_size)
