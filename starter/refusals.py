"""What a command expects to fail with beside a `Refusal`: told in one line, whatever process plays the command."""

from typing import Final

from activities.directory import DirectoryFailure
from activities.files.reading import FileFaults
from activities.http.calling import ServiceFailure
from activities.starting.path import BrokenOff, IdTaken
from activities.store.failures import StoreFailure
from starter.codec import CodecError

REFUSALS: Final = (FileFaults, IdTaken, BrokenOff, DirectoryFailure, StoreFailure, ServiceFailure, CodecError)
