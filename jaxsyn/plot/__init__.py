"""Pictures of runs, graphs and training, at the size and in the type of a paper.

Each function takes a solution or plain arrays and an optional `ax`. One panel returns its `Axes`, several return the
`Figure`; both have `.figure.savefig(...)`. Nothing is shown: call `plt.show()` in a script; in a notebook end the line
with `;`, as the figure is displayed anyway. matplotlib is imported when the first picture is drawn.

- `raster`: spikes and population rates of a run; `rates`: the rates alone
- `traces`: recorded variables over time
- `weights`: distribution or matrix of synaptic weights
- `connectivity`: connection matrix and degrees
- `conversion`: accuracy of a converted network against steps, error by layer
- `training`: loss and accuracy by epoch

To add a picture: a file with one public function that computes with `analysis`, takes `ax=None`, draws inside
`style(ax)`, labels each axis with its unit and says in a `note` what it leaves out. Look at it before it is re-exported
here; its test reads data and labels back from the axes.
"""

from ._connectivity import connectivity as connectivity
from ._conversion import conversion as conversion
from ._raster import raster as raster
from ._raster import rates as rates
from ._traces import traces as traces
from ._training import training as training
from ._weights import weights as weights
