import {
  libvirtHookAnswerSchema,
  libvirtHookRequestSchema,
  maxHookBodyBytes,
} from "../../libvirt-hooks/schemas.ts";
import type { DaemonServices } from "../../services.ts";
import type { Api } from "../api.ts";

/** What libvirt's hook asks, which is root's: a large text is read for it, and a guest's move prepared. */
export function addLibvirtRoutes(app: Api, services: () => DaemonServices): void {
  app.post(
    "/v1/libvirt/hook",
    {
      config: { role: "admin" },
      bodyLimit: maxHookBodyBytes,
      schema: {
        operationId: "answerLibvirtHook",
        summary: "What libvirt's hook is to answer about a domain that arrives or starts here",
        tags: ["guests"],
        body: libvirtHookRequestSchema,
        response: { 200: libvirtHookAnswerSchema },
      },
    },
    async ({ body }) => services().answerLibvirtHook(body),
  );
}
