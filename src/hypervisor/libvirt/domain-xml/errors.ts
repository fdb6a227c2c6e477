import { preconditionError, SojournError } from "../../../platform/errors.ts";

const longestWords = 300;

/** What should be a domain's description is none, or too large to be one. */
export function domainXmlError(what: string, cause?: unknown): SojournError {
  const message = `not a domain's description: ${what.slice(0, longestWords)}`;
  return new SojournError("SOJ_LIBVIRT_XML", message, {
    cause,
    hint: "compare it with what `virsh dumpxml --migratable` prints for the domain",
  });
}

/** A domain's description cannot be changed as wished. Nothing was changed. */
export function domainRewriteError(what: string): SojournError {
  const message = `the domain's description cannot be changed so: ${what.slice(0, longestWords)}`;
  return preconditionError("SOJ_LIBVIRT_REWRITE", message, {
    hint: "`virsh dumpxml --migratable` shows the domain's NICs and paths",
  });
}
