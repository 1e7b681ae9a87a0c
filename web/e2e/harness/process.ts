import { spawn, type ChildProcess } from 'node:child_process';

import { binary } from './binary.ts';

/** One running `otaru`, with what it printed. */
export class Process {
  readonly #child: ChildProcess;
  readonly #ended: Promise<number | null>;
  /** What it printed as its answer. */
  answer = '';
  /** All it printed. */
  output = '';

  constructor(args: readonly string[], env: Record<string, string> = {}) {
    this.#child = spawn(binary(), args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child.stdout?.on('data', (bytes: Buffer) => {
      this.answer += bytes.toString();
      this.output += bytes.toString();
    });
    this.#child.stderr?.on('data', (bytes: Buffer) => (this.output += bytes.toString()));
    this.#ended = new Promise((resolve) => this.#child.on('close', resolve));
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** Its exit code, once it ended by itself. */
  ended(): Promise<number | null> {
    return this.#ended;
  }

  /** Stands still until `goOn`, so that a test can look at it for as long as that takes. */
  hold(): void {
    this.#child.kill('SIGSTOP');
  }

  goOn(): void {
    this.#child.kill('SIGCONT');
  }

  async stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    if (!this.hasEnded) this.#child.kill(signal);
    await this.#ended;
  }
}

/** Runs a command to its end; its JSON, or what went wrong. */
export async function run(args: readonly string[], env: Record<string, string>): Promise<any> {
  const command = new Process(args, env);
  const code = await command.ended();
  if (code !== 0) throw new Error(`otaru ${args.join(' ')} ended with ${code}:\n${command.output}`);
  const json = command.answer.trim();
  return json === '' ? undefined : JSON.parse(json);
}

/** Asks again until there is an answer: the harness's own waiting, for what no page shows. */
export async function until<T>(what: string, ask: () => Promise<T | undefined> | T | undefined): Promise<T> {
  const end = Date.now() + 60_000;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (Date.now() > end) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}
