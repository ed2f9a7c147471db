"""Everything the program serves: calls from APIs, reference images, figures. One aiohttp application, joined in `site`."""

from orchestrator.web.calls import Calls
from orchestrator.web.figures import Figures
from orchestrator.web.limits import Limits
from orchestrator.web.references import References
from orchestrator.web.site import Part, Site, Unserved

__all__ = ["Calls", "Figures", "Limits", "Part", "References", "Site", "Unserved"]
