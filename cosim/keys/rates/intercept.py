"""The intercept-resend attack: an eavesdropper measures pulses in a random basis and sends on what was found."""

import numpy as np

from cosim.types import FloatArray


def intercepted_qber(qber: FloatArray, intercepted: FloatArray) -> FloatArray:
    """Return the QBER when a share f of the pulses is measured and sent on: (1 - f) e + f (1/4 + e/2).

    Of the touched pulses that pass sifting, half were measured in the senders' basis: they are sent on as they were and
    keep the link's own error e. The other half arrive in the wrong basis and give a random bit, so 1/2 of them are
    wrong: e/2 + 1/4. An e of 1/2 stays 1/2, so that empty pulses look the same. How many pulses arrive does not change:
    the eavesdropper makes up for what is lost.

    Args:
        qber: own error share of the link, in [0, 1/2], of any shape.
        intercepted: f in [0, 1], of a shape that broadcasts with it.
    """
    measured = (1.0 - intercepted) * qber + intercepted * (0.25 + 0.5 * qber)
    return np.minimum(0.5, measured)  # rounding can pass it by one digit
