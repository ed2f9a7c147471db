"""What an adapter is: the wire format of one API as plain functions over data.

An adapter sends nothing and remembers nothing. It says what a request looks like, what an answer means, and what may be
asked for; the engine does the rest. Its words and codes map through tables that stand visibly in its module. A third party
adds one through the entry-point group `orchestrator.providers` and imports the contract from here.
"""

from orchestrator.providers.capabilities import Capabilities, ImageLimits, Inputs, Shape
from orchestrator.providers.contract import (
    CancelProvider,
    ConversationProvider,
    Family,
    ForgetfulProvider,
    LimitsProvider,
    LookupProvider,
    Provider,
    RecognisingProvider,
    StreamProvider,
    TaskProvider,
    UploadProvider,
    WebhookProvider,
)
from orchestrator.providers.judgements import Estimate, Finding, Preview
from orchestrator.providers.orders import FileInput, Input, Order, Previous, Turn, UrlInput

__all__ = [
    "CancelProvider",
    "Capabilities",
    "ConversationProvider",
    "Estimate",
    "Family",
    "FileInput",
    "Finding",
    "ForgetfulProvider",
    "ImageLimits",
    "Input",
    "Inputs",
    "LimitsProvider",
    "LookupProvider",
    "Order",
    "Preview",
    "Previous",
    "Provider",
    "RecognisingProvider",
    "Shape",
    "StreamProvider",
    "TaskProvider",
    "Turn",
    "UploadProvider",
    "UrlInput",
    "WebhookProvider",
]
