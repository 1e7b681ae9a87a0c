import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('../../../testing/s3/', import.meta.url));
const SIGNED = 'AWS4-HMAC-SHA256 Credential=testing/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0';

/** A bucket of moto's S3, in a process of its own. */
export class Bucket {
  readonly #server: ChildProcess;
  readonly #address: string;
  readonly url = 's3://images/incoming';

  private constructor(server: ChildProcess, address: string) {
    this.#server = server;
    this.#address = address;
  }

  static async start(): Promise<Bucket> {
    const found = spawnSync(`${folder}python.sh`, { encoding: 'utf8' });
    if (found.status !== 0) throw new Error(`moto could not be installed: ${found.stderr}`);
    // It ends with its standard input, and so with this process.
    const server = spawn(found.stdout.trim(), [`${folder}serve.py`], { stdio: ['pipe', 'pipe', 'ignore'] });
    const address = await new Promise<string>((resolve, reject) => {
      server.stdout?.once('data', (bytes: Buffer) => resolve(bytes.toString().trim()));
      server.once('exit', () => reject(new Error('moto did not start')));
    });
    const bucket = new Bucket(server, address);
    await bucket.#ask('PUT', '');
    return bucket;
  }

  /** How a server finds it. */
  get environment(): Record<string, string> {
    return {
      AWS_ENDPOINT: this.#address,
      AWS_ALLOW_HTTP: 'true',
      AWS_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: 'testing',
      AWS_SECRET_ACCESS_KEY: 'testing',
      OTARU__BUCKET_WATCH__URL: this.url,
      OTARU__BUCKET_WATCH__INTERVAL_S: '86400',
    };
  }

  put(name: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    return this.#ask('PUT', `/incoming/${name}`, bytes);
  }

  async #ask(method: string, path: string, body?: Uint8Array<ArrayBuffer>): Promise<void> {
    const answer = await fetch(`${this.#address}/images${path}`, { method, headers: { authorization: SIGNED }, ...(body ? { body } : {}) });
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status}`);
  }

  end(): void {
    this.#server.stdin?.end();
  }
}
