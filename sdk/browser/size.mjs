// Prints how large the script is, and fails where it is larger than people were promised.
import { readFileSync } from 'node:fs';
import { brotliCompressSync, gzipSync } from 'node:zlib';

const MOST = 2048;

const script = readFileSync(new URL('dist/tracker.js', import.meta.url));
const gzipped = gzipSync(script, { level: 9 }).length;
const { length: brotli } = brotliCompressSync(script);
console.log(`tracker.js: ${script.length} bytes, ${gzipped} gzipped (at most ${MOST}), ${brotli} with Brotli`);
if (gzipped > MOST) {
  console.error(`tracker.js is ${gzipped - MOST} bytes too large when gzipped; take something out of src/`);
  process.exit(1);
}
