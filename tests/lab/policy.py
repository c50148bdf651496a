"""Copy the lab's policy, with the lists that the package ships, to where a daemon will use it."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.lab.site import ROOT

POLICY = Path(__file__).parent / "policy"
LISTS = ROOT / "eximacl" / "sample" / "lists"


def install(directory: Path, socket: Path, sendmail: Path = Path("/usr/sbin/sendmail")) -> Path:
    """Write the policy into `directory` for a daemon that listens on `socket`; return the path of its file.

    sendmail: the program that takes released mail.
    """
    shutil.copytree(POLICY / "domains", directory / "domains", dirs_exist_ok=True)
    shutil.copytree(LISTS, directory / "lists", dirs_exist_ok=True)
    config = directory / "eximacl.toml"
    text = (POLICY / "eximacl.toml").read_text()
    config.write_text(text.replace("@SOCKET@", str(socket)).replace("@SENDMAIL@", str(sendmail)))
    return config
