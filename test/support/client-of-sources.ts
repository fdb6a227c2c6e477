import { registerHooks } from "node:module";

// Preloaded (node --import) by tests that run the examples of deploy/: they import the package's client, which in a
// checkout that is not built is that of the sources.
const client = new URL("../../src/client/index.ts", import.meta.url).href;

registerHooks({
  resolve: (specifier, context, next) =>
    next(specifier === "sojourn/client" ? client : specifier, context),
});
