"""A local-first replica of a Salesforce org in one SQLite file."""

from salesforce_sync.app import SFSync
from salesforce_sync.config import Config
from salesforce_sync.errors import SyncError
from salesforce_sync.models.account import Account
from salesforce_sync.models.contact import Contact
from salesforce_sync.models.lead import Lead
from salesforce_sync.models.opportunity import Opportunity

__version__ = "0.1.0"

__all__ = ["Account", "Config", "Contact", "Lead", "Opportunity", "SFSync", "SyncError", "__version__"]
