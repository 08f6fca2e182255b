import { defineConfig } from 'vite';

// The server that `npm run dev` hands the API's routes to.
const server = process.env.ANALYTICS_URL ?? 'http://127.0.0.1:4000';

export default defineConfig({
  // The page finds its files and the API beside itself, under whatever path it is served.
  base: './',
  esbuild: { jsx: 'automatic', jsxImportSource: 'preact', legalComments: 'none' },
  build: {
    target: 'es2022',
    // The page's policy allows what the server sends, and nothing that stands in an address.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    manifest: 'manifest.json',
    reportCompressedSize: false,
    rollupOptions: {
      output: {
        assetFileNames: 'assets/[name]-[hash][extname]',
        chunkFileNames: 'assets/[name]-[hash].js',
        entryFileNames: 'assets/[name]-[hash].js',
      },
    },
  },
  server: { proxy: { '/api': server, '/health': server, '/realtime': { target: server, ws: true } } },
});
