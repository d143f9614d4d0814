"""Learning: losses of spike trains and potentials, what to train, a loop to do it, and digits to try it on.

A network is trained as it is simulated: give the populations on the way a surrogate (`Population(..., surrogate=...)`)
and differentiate through `js.run`. Nothing here is needed for that; `fit` is the loop most people would write.

- `count_cross_entropy`, `first_spike_cross_entropy`, `membrane_cross_entropy`: losses of one sample; `accuracy`
- `rate_error`, `van_rossum_error`: distance from a wanted activity; `activity_band`, `spike_count_band`: penalties of
  unwanted activity, to be added to a loss; `confusion_matrix`
- `Classification`: show a sample to a network, read its answer, compare with the label
- `fit`, `evaluate`: train on a data set with any optax optimizer; score
- `online` with `EProp`, `OTTT`, `OTPE`: gradients while the network runs, in memory that does not grow with the steps
- `frozen`: trained delays rounded to whole steps, scored before and after
- `trainable`: which numbers of a network are trained; `scaled`: some of them faster than others
- `digits`: 1797 handwritten digits

To add a loss: a function of one recorded array (steps, neurons) and a label, finite for silent neurons and any input;
put it into the table of tests/train/test_losses.py. To add another kind of task (regression, sequences): subclass
`AbstractTask` with `check` and `evaluate`.
"""

from ._digits import Digits as Digits
from ._digits import digits as digits
from ._fit import FitOptions as FitOptions
from ._fit import History as History
from ._fit import TrainingError as TrainingError
from ._fit import evaluate as evaluate
from ._fit import fit as fit
from ._freeze import Frozen as Frozen
from ._freeze import frozen as frozen
from ._losses import accuracy as accuracy
from ._losses import count_cross_entropy as count_cross_entropy
from ._losses import first_spike_cross_entropy as first_spike_cross_entropy
from ._losses import membrane_cross_entropy as membrane_cross_entropy
from ._online import Online as Online
from ._online import OnlineState as OnlineState
from ._online import online as online
from ._online_rules import OTPE as OTPE
from ._online_rules import OTTT as OTTT
from ._online_rules import AbstractOnlineRule as AbstractOnlineRule
from ._online_rules import EProp as EProp
from ._online_rules import random_feedback as random_feedback
from ._regularizers import activity_band as activity_band
from ._regularizers import confusion_matrix as confusion_matrix
from ._regularizers import rate_error as rate_error
from ._regularizers import spike_count_band as spike_count_band
from ._regularizers import van_rossum_error as van_rossum_error
from ._scaled import scaled as scaled
from ._task import AbstractTask as AbstractTask
from ._task import Classification as Classification
from ._trainable import trainable as trainable
