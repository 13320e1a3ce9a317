# SPDX-License-Identifier: Apache-2.0
"""``airgap completion``."""

from __future__ import annotations

import click

from airgap.cli.printing import say

#: What click's scripts call the program with; :mod:`airgap.cli.app` looks for the same name.
_VARIABLE = "_AIRGAP_COMPLETE"


@click.command("completion")
@click.argument("shell", metavar="SHELL", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """Print a script that completes airgap's commands, options and file names in a shell.

    SHELL is bash (4.4 or newer), zsh or fish. Save the script where the shell looks for completions, and open a new
    shell.

    \b
    airgap completion bash | sudo tee /etc/bash_completion.d/airgap
    airgap completion zsh | sudo tee /usr/local/share/zsh/site-functions/_airgap
    airgap completion fish | tee ~/.config/fish/completions/airgap.fish
    """
    from click.shell_completion import get_completion_class

    completion_class = get_completion_class(shell)
    assert completion_class is not None
    program = context.find_root()
    say(completion_class(program.command, {}, program.info_name or "airgap", _VARIABLE).source(), lines=True)
