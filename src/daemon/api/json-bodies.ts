import type { Api } from "./api.ts";

/** Reads JSON bodies and no others; an empty one counts as none, which some clients send with every POST. */
export function readJsonBodies(app: Api): void {
  const parse = app.getDefaultJsonParser("error", "error");
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("application/json", { parseAs: "string" }, (request, body, done) => {
    if (body === "") done(null, undefined);
    else parse(request, body.toString(), done);
  });
}
