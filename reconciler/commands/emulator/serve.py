"""`emulator serve`: until it is interrupted."""

import errno
import os
from dataclasses import dataclass
from typing import Annotated

import click

from reconciler.commands.support.emulators import open_emulator
from reconciler.commands.support.options import CommonOptions, Environment, stop_event, with_options
from reconciler.disk.atomic import replace_file
from reconciler.disk.private_dir import WORK_DIR
from reconciler.emulation import EMULATOR
from reconciler.emulator.pipeline import CONSENT_PATH


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """The environment of the emulator, and its address."""

    environment: Environment
    host: Annotated[
        str,
        click.option(
            "--host", default="127.0.0.1", show_default=True, help="The loopback address to listen on."
        ),
    ]
    port: Annotated[
        int,
        click.option(
            "--port",
            default=8399,
            show_default=True,
            type=click.IntRange(0, 65_535),
            help="The port; 0 picks a free port.",
        ),
    ]
    common: CommonOptions


@click.command(name="serve")
@with_options(ServeOptions)
@click.pass_obj
def command(stop: object, /, options: ServeOptions) -> None:
    """Serve an environment's emulator on a loopback socket until interrupted."""
    environment, host, port = options.environment, options.host, options.port
    with open_emulator(environment, options.common) as emulator:
        issued = emulator.credentials
        replace_file(emulator.path.with_suffix(".client-id"), issued.client_id.encode())
        replace_file(emulator.path.with_suffix(".client-secret"), issued.client_secret.encode())
        try:
            with emulator.serving(host, port) as url:
                _tell(environment, url)
                stop_event(stop).wait()
        except ValueError:
            raise click.UsageError("--host takes a loopback address only, such as 127.0.0.1") from None
        except OSError as error:
            problem = f"can't serve at port {port}: {os.strerror(error.errno or errno.EIO)}"
            raise click.UsageError(problem) from None


def _tell(environment: str, url: str) -> None:
    click.echo(f"serving {environment} at {url} until interrupted; to reach it, write in the manifests")
    click.echo(f"  api: {{endpoint: {url}, consentUrl: {url}{CONSENT_PATH}}}")
    click.echo(f"  clientId: file:{WORK_DIR}/{EMULATOR}/{environment}.client-id")
    click.echo(f"  clientSecret: file:{WORK_DIR}/{EMULATOR}/{environment}.client-secret")
