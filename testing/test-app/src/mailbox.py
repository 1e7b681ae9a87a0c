"""A real mail server (aiosmtpd) on a free port of this machine, for one test.

Writes one line of JSON per message to stdout, the first line being its port; ends with stdin.
Arguments: [--user NAME:PASSWORD] [--certificate CERT KEY] [--refuse N] [--port P].
With a certificate it takes mail only after STARTTLS; with a user, only from that user. The
first N messages are refused for now.
"""

import argparse
import asyncio
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult

parser = argparse.ArgumentParser()
parser.add_argument("--user")
parser.add_argument("--certificate", nargs=2)
parser.add_argument("--refuse", type=int, default=0)
parser.add_argument("--port", type=int, default=0)
arguments = parser.parse_args()


def tell(line):
    print(json.dumps(line), flush=True)


class Handler:
    """One for all connections."""

    refusals = arguments.refuse

    async def handle_DATA(self, server, session, envelope):
        if self.refusals > 0:
            self.refusals -= 1
            return "451 come back later"
        if "refused@" in envelope.rcpt_tos[0]:
            return "550 no such person"
        tell({
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "content": envelope.content.decode(),
            "tls": session.ssl is not None,
            "user": session.auth_data,
        })
        return "250 kept"


def authenticate(server, session, envelope, mechanism, data):
    given = f"{data.login.decode()}:{data.password.decode()}"
    if given == arguments.user:
        return AuthResult(success=True, auth_data=data.login.decode())
    return AuthResult(success=False, handled=False)


HANDLER = Handler()


def server():
    tls = None
    if arguments.certificate:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(*arguments.certificate)
    return SMTP(
        HANDLER,
        hostname="mail.test",
        tls_context=tls,
        require_starttls=tls is not None,
        authenticator=authenticate,
        auth_required=arguments.user is not None,
        auth_require_tls=tls is not None,
    )


async def main():
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(server, "127.0.0.1", arguments.port)
    tell(listening.sockets[0].getsockname()[1])
    await loop.run_in_executor(None, sys.stdin.read)


asyncio.run(main())
