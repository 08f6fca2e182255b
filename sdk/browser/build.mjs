// Builds dist/: the script of the tag, the module, and its types. `--out FOLDER` builds the script alone, into FOLDER;
// `--parts` builds every source as a module of its own into dist/parts, for the unit tests.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { minify } from 'terser';

const here = dirname(fileURLToPath(import.meta.url));
const [word, folder] = process.argv.slice(2);
const dist = word === '--out' && folder ? folder : join(here, 'dist');
const source = (name) => join(here, 'src', name);
const settings = { bundle: true, target: 'es2021', charset: 'ascii', legalComments: 'none', logLevel: 'warning' };

if (word === '--parts') {
  const entryPoints = readdirSync(join(here, 'src')).map(source);
  await build({ ...settings, format: 'esm', entryPoints, outdir: join(dist, 'parts') });
} else {
  // Without a directive that costs bytes and changes nothing.
  const tsconfigRaw = { compilerOptions: { alwaysStrict: false } };
  const script = { entryPoints: [source('script.ts')], format: 'iife', tsconfigRaw, write: false };
  const { outputFiles } = await build({ ...settings, ...script });
  const compress = { passes: 3, unsafe: true, unsafe_arrows: true, unsafe_methods: true, pure_getters: true };
  const { code } = await minify(outputFiles[0].text, { ecma: 2020, compress, toplevel: true });
  mkdirSync(dist, { recursive: true });
  writeFileSync(join(dist, 'tracker.js'), `${code}\n`);
  writeFileSync(join(dist, 'tracker.js.gz'), gzipSync(`${code}\n`, { level: 9 }));
  if (dist === join(here, 'dist')) {
    await build({ ...settings, entryPoints: [source('index.ts')], outfile: join(dist, 'index.js'), format: 'esm' });
    for (const name of readdirSync(dist)) if (name.endsWith('.d.ts')) rmSync(join(dist, name));
    const types = ['--emitDeclarationOnly', '--declaration', '--outDir', dist];
    const compiler = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin', 'tsc');
    execFileSync(process.execPath, [compiler, '--project', here, ...types], { stdio: 'inherit' });
  }
}
