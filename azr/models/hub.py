"""A model's folder sent to a Hugging Face hub, through the hub's own client."""

import re
from pathlib import Path

from azr.errors import AzrError, ConfigError

__all__ = ["check_repository", "push_folder"]

REPOSITORY = re.compile(r"[\w.-]{1,96}/[\w.-]{1,96}", re.ASCII)


def check_repository(name: str) -> None:
    """Refuse a name before anything is copied.

    Raises:
        ConfigError: It is none.
    """
    if not REPOSITORY.fullmatch(name):
        raise ConfigError(f"--push must be OWNER/NAME, letters, digits and ._- alone, got {name!r}")


def push_folder(folder: Path, repository: str, message: str, *, is_public: bool = False) -> str:
    """Make the repository where it is missing, and commit the folder's files; returns its address.

    Where, and as whom, is the client's: HF_ENDPOINT, HF_TOKEN or `hf auth login`.

    Args:
        folder: Stays as it is.
        repository: OWNER/NAME.
        message: Of the commit.
        is_public: Of a repository that is made; one that is there stays what it is.

    Raises:
        AzrError: The hub cannot be reached, or refuses; the folder can be sent again.
    """
    from huggingface_hub import HfApi, constants  # noqa: PLC0415 - comes with azr[train]
    from huggingface_hub.errors import HFValidationError, HTTPError  # noqa: PLC0415

    try:
        api = HfApi(endpoint=constants.ENDPOINT)
        url = api.create_repo(repository, private=not is_public, exist_ok=True)
        api.upload_folder(repo_id=repository, folder_path=folder, commit_message=message)
    except (HTTPError, HFValidationError, OSError, ValueError) as error:
        first = next(iter(str(error).strip().splitlines()), type(error).__name__)
        refusal = AzrError(f"{repository} was not sent to {constants.ENDPOINT}: {first}")
        refusal.add_note(f"the model is in {folder}; log in (hf auth login, or HF_TOKEN), then")
        refusal.add_note(f"hf upload {repository} {folder}")
        raise refusal from error
    return str(url)
