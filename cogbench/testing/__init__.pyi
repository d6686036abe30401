# The public names, each once.
from .backbone_contracts import check_backbone as check_backbone
from .backbone_contracts import check_sharing as check_sharing
from .contracts import (
    check_estimator as check_estimator,
)
from .contracts import (
    check_oracle as check_oracle,
)
from .contracts import (
    check_pack as check_pack,
)
from .contracts import (
    check_selector as check_selector,
)
from .contracts import (
    check_set as check_set,
)
from .contracts import (
    check_signal as check_signal,
)
from .contracts import (
    check_suite as check_suite,
)
from .contracts import (
    check_task as check_task,
)
from .fuzz import Reader as Reader
from .fuzz import check_reader as check_reader
from .toys import ORACLES as ORACLES
from .toys import TASKS as TASKS
from .toys import ToyBackbone as ToyBackbone
from .toys import ToySignal as ToySignal
from .toys import ToyTask as ToyTask
