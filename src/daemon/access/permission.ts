import { ExitCode, SojournError } from "../../platform/errors.ts";
import { type Authorize, type Role, roles } from "../api/api.ts";
import type { Caller } from "./caller.ts";

/** Lets callers do what their role allows. */
export const authorizeCaller: Authorize = ({ caller }, role) => {
  if (caller === null) throw new Error("a request without a caller reached a route");
  requireRole(caller, role);
};

/** @throws SojournError `SOJ_ROLE_REQUIRED` or `SOJ_NO_ROLE`, both with HTTP status 403. */
export function requireRole(caller: Caller, needed: Role): void {
  if (caller.role === null) {
    throw forbidden(
      "SOJ_NO_ROLE",
      `${caller.name} has no role on this host; ${needed} is needed`,
      "name it in [api.clients] of this host's sojourn.toml",
    );
  }
  if (roles.indexOf(caller.role) >= roles.indexOf(needed)) return;
  throw forbidden(
    "SOJ_ROLE_REQUIRED",
    `this needs the role ${needed}; ${caller.name} has ${caller.role}`,
    `use a token or certificate with the role ${needed}`,
  );
}

function forbidden(code: `SOJ_${string}`, message: string, hint: string): SojournError {
  return new SojournError(code, message, {
    exitCode: ExitCode.precondition,
    httpStatus: 403,
    hint,
  });
}
