"""`eximacl completion`: print the script that completes commands and options in a shell."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from eximacl.cli import exits
from eximacl.cli.command import Command, Section
from eximacl.cli.options import Failure


@click.command(cls=Command, section=Section.SETUP)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the completion script for a shell.

    The shell reads it where each example writes it.

    \b
    Examples:
      eximacl completion bash > /etc/bash_completion.d/eximacl
      eximacl completion zsh > "${fpath[1]}/_eximacl"
      eximacl completion fish > ~/.config/fish/completions/eximacl.fish
    """
    found = get_completion_class(shell)
    if found is None:
        raise Failure(f"no completion for {shell}", exits.USAGE)
    click.echo(found(context.find_root().command, {}, "eximacl", "_EXIMACL_COMPLETE").source())
