"""Errors besides `Refusal` that commands expect and report in one line."""

from typing import Final

from activities.errors import StoreFailure
from activities.files.reading import FileFaults
from activities.http.client import ServiceFailure
from activities.launch.launch import BrokenOff, IdTaken
from activities.people.directory import DirectoryFailure
from starter.temporal.codec import CodecError

REFUSALS: Final = (FileFaults, IdTaken, BrokenOff, DirectoryFailure, StoreFailure, ServiceFailure, CodecError)
