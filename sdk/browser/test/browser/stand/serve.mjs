// A running `analytics serve` in a folder of its own.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../../../../', import.meta.url));

/** The program: that of ANALYTICS_PROGRAM, else the one that cargo built. */
export const program = () => {
  const built = join(process.env.CARGO_TARGET_DIR ?? join(root, 'target'), 'debug', 'analytics');
  const path = process.env.ANALYTICS_PROGRAM ?? built;
  if (!existsSync(path)) throw new Error(`${path} is not there: cargo build --package analytics, or set ANALYTICS_PROGRAM`);
  return path;
};

export const freePort = async () => {
  const server = createServer();
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
};

export const pause = (time) => new Promise((done) => setTimeout(done, time));

/** Starts it with these settings; `stop` ends it, `start` starts it again where it was, `close` ends it for good. */
export const serve = async (settings) => {
  const path = program();
  const folder = mkdtempSync(join(tmpdir(), 'analytics-browser-'));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const env = { PORT: `${port}`, DATA_DIR: folder, LOG_LEVEL: 'warn', DURABILITY: 'fast', BATCH_LINGER_MS: '5', ...settings };
  let child;
  let ended;
  const start = async () => {
    child = spawn(path, ['serve'], { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'], env });
    ended = new Promise((done) => child.once('exit', done));
    for (const deadline = Date.now() + 20_000; ; await pause(50)) {
      if (await fetch(`${url}/health`).then(({ ok }) => ok, () => false)) return;
      if (child.exitCode !== null || Date.now() > deadline) throw new Error('analytics serve does not come up');
    }
  };
  const stop = async () => {
    child.kill('SIGTERM');
    await ended;
  };
  await start();
  return {
    url,
    start,
    stop,
    close: async () => {
      await stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
};
