// Builds every source as a module of its own into dist-parts/, for the unit tests.
import { readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const here = dirname(fileURLToPath(import.meta.url));
const outdir = join(here, 'dist-parts');
rmSync(outdir, { recursive: true, force: true });

/** Has modules name each other by their files, as Node wants it. */
const named = {
  name: 'named',
  setup({ onResolve }) {
    onResolve({ filter: /^\.\.?\// }, ({ path, kind }) =>
      kind === 'entry-point' ? undefined : { path: `${path}.js`, external: true },
    );
  },
};
const sources = (folder) =>
  readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (entry.isDirectory()) return sources(join(folder, entry.name));
    return /\.ts$/.test(entry.name) ? [join(folder, entry.name)] : [];
  });
const entryPoints = sources(join(here, 'src'));
await build({
  entryPoints,
  outdir,
  bundle: true,
  packages: 'external',
  plugins: [named],
  format: 'esm',
  target: 'es2022',
  logLevel: 'warning',
});
