import { defineConfig } from "vite";

/** The page's policy allows no script and no style inside the document, and nothing from elsewhere. */
export default defineConfig({
  build: {
    outDir: "../src/beaufort/web/static",
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: "es2022",
  },
});
