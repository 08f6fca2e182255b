// Builds the page into dist/, or into the folder of `--out FOLDER`, each file beside itself packed with gzip and Brotli.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { build } from 'vite';

const here = dirname(fileURLToPath(import.meta.url));
const [word, folder] = process.argv.slice(2);
const outDir = word === '--out' && folder ? resolve(folder) : join(here, 'dist');

await build({ root: here, configFile: join(here, 'vite.config.mjs'), logLevel: 'warn', build: { outDir, emptyOutDir: true } });

const pack = (path) => {
  const bytes = readFileSync(path);
  writeFileSync(`${path}.gz`, gzipSync(bytes, { level: 9 }));
  const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length };
  writeFileSync(`${path}.br`, brotliCompressSync(bytes, { params }));
};
pack(join(outDir, 'index.html'));
for (const name of readdirSync(join(outDir, 'assets'))) pack(join(outDir, 'assets', name));
