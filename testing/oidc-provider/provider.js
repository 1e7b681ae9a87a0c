// A real OpenID Connect provider for tests of the pages: `node provider.js CALLBACK BACK`.
//
// CALLBACK is where it sends browsers back to, BACK where they go after signing out. It prints its
// address once it listens. Whoever types a name is that person; any password will do.
import { createServer } from 'node:http';

import Provider from 'oidc-provider';

const [callback, back] = process.argv.slice(2);

const server = createServer();
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const issuer = `http://127.0.0.1:${server.address().port}`;

const provider = new Provider(issuer, {
  clients: [
    {
      client_id: 'otaru',
      client_secret: 'a secret of the tests',
      redirect_uris: [callback],
      post_logout_redirect_uris: [back],
      response_types: ['code'],
      grant_types: ['authorization_code'],
    },
  ],
  claims: { openid: ['sub'], email: ['email', 'email_verified'] },
  pkce: { required: () => true },
  features: { devInteractions: { enabled: true }, rpInitiatedLogout: { enabled: true } },
  findAccount: (_context, id) => ({
    accountId: id,
    claims: () => ({ sub: id, email: `${id}@example.org`, email_verified: true }),
  }),
});

server.on('request', provider.callback());
console.log(issuer);
