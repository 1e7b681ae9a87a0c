import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('../../../testing/oidc-provider/', import.meta.url));

/** A real OpenID Connect provider that knows a server of these tests, in a process of its own. */
export class Provider {
  readonly #process: ChildProcess;
  readonly issuer: string;
  readonly #server: string;

  private constructor(started: ChildProcess, issuer: string, server: string) {
    this.#process = started;
    this.issuer = issuer;
    this.#server = server;
  }

  static async start(server: string): Promise<Provider> {
    if (!existsSync(`${folder}node_modules/oidc-provider`)) throw new Error('oidc-provider is missing: run `make setup`');
    const args = [`${folder}provider.js`, `${server}/app/providers/example/callback`, `${server}/`];
    const started = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'ignore'] });
    const issuer = await new Promise<string>((resolve, reject) => {
      let said = '';
      started.stdout?.on('data', (bytes: Buffer) => {
        said += bytes.toString();
        const address = /^http:\S+$/m.exec(said)?.[0];
        if (address && said.includes('\n')) resolve(address);
      });
      started.once('exit', () => reject(new Error(`oidc-provider did not start: ${said}`)));
    });
    return new Provider(started, issuer, server);
  }

  /** How a server finds it. */
  get environment(): Record<string, string> {
    return {
      // Where it sends browsers back to.
      OTARU__SERVER__PUBLIC_URL: this.#server,
      OTARU__OIDC__EXAMPLE__ISSUER: this.issuer,
      OTARU__OIDC__EXAMPLE__DISPLAY_NAME: 'Example ID',
      OTARU__OIDC__EXAMPLE__CLIENT_ID: 'otaru',
      OTARU__OIDC__EXAMPLE__CLIENT_SECRET: 'a secret of the tests',
      OTARU__OIDC__EXAMPLE__SCOPES: 'email',
      OTARU__OIDC__EXAMPLE__SIGN_UP: 'true',
      OTARU__OUTBOUND__PRIVATE_HOSTS: '127.0.0.1',
    };
  }

  end(): void {
    this.#process.kill('SIGKILL');
  }
}
