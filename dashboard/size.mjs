// Prints how much is loaded for the first view and for each other one, and fails where the first is larger than promised.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The most that the first view may be, gzipped: the page, its scripts and its styles. */
const MOST = 150_000;

const dist = join(dirname(fileURLToPath(import.meta.url)), 'dist');
const manifest = JSON.parse(readFileSync(join(dist, 'manifest.json'), 'utf8'));
const packed = (file) => readFileSync(join(dist, `${file}.gz`)).length;

/** The files of an entry and of everything that it needs from the start. */
const needed = (name, files = new Set()) => {
  const { file, css = [], imports = [] } = manifest[name];
  if (!files.has(file)) {
    for (const one of [file, ...css]) files.add(one);
    for (const one of imports) needed(one, files);
  }
  return files;
};
const sum = (files) => [...files].reduce((bytes, file) => bytes + packed(file), 0);

const page = new Set([...needed('index.html'), 'index.html']);
const views = Object.keys(manifest).filter((name) => /^src\/views\/[^/]+\.tsx$/.test(name));
const first = new Set([...page, ...needed('src/views/overview.tsx')]);
console.log(`first view: ${sum(first)} bytes gzipped (at most ${MOST}), of which the page around it ${sum(page)}`);
for (const name of views) {
  const more = [...needed(name)].filter((file) => !page.has(file));
  console.log(`${name.replace(/.*\/|\.tsx/g, '').padStart(12)}: ${String(sum(more)).padStart(6)} bytes more`);
}
if (sum(first) > MOST) {
  console.error(`the first view is ${sum(first) - MOST} bytes too large; load what it does not need later`);
  process.exit(1);
}
