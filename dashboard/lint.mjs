// What the sources may not hold, and what the compiler does not see. Prints each place; fails where there is one.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const WIDTH = 130;
const LINES = 600;

/** What is forbidden, and why. */
const RULES = [
  [
    /\b(inner|outer)HTML\b|insertAdjacentHTML|dangerouslySetInnerHTML|document\.write|srcdoc|createContextualFragment/,
    'makes markup of text: names of events are text only',
  ],
  [/\beval\(|new Function\(|setTimeout\(\s*['"`]/, 'runs text as a program, which the policy of the page forbids'],
  [/https?:\/\/(?!www\.w3\.org\/)/, 'names another server: the page asks its own only'],
  [/url\(\s*['"]?data:|href="data:/, 'holds data in an address, which the policy of the page forbids'],
  [/:\s*any\b|\bas any\b|@ts-ignore|@ts-nocheck/, 'switches the types off'],
  [/console\.(log|debug)\(|\bdebugger\b/, 'is left over from a search for a mistake'],
  [/[ \t]+$/, 'ends in white space'],
  [/\bTODO\b|\bFIXME\b|\bXXX\b/, 'is unfinished'],
];

const files = (folder) =>
  readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return files(path);
    return /\.(tsx?|css|svg|html|mjs)$/.test(entry.name) ? [path] : [];
  });

let found = 0;
const tell = (path, line, what) => {
  found++;
  console.error(`${relative(here, path)}:${line}: ${what}`);
};

for (const path of [...files(join(here, 'src')), join(here, 'index.html')]) {
  const lines = readFileSync(path, 'utf8').split('\n');
  if (lines.length > LINES) tell(path, lines.length, `is longer than ${LINES} lines: divide it by subject`);
  lines.forEach((text, index) => {
    for (const [pattern, what] of RULES) if (pattern.test(text)) tell(path, index + 1, what);
    if ([...text].length > WIDTH) tell(path, index + 1, `is longer than ${WIDTH} columns`);
  });
}
if (found > 0) process.exit(1);
console.log('no rule is broken');
