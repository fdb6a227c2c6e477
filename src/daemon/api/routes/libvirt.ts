import {
  libvirtHookAnswerSchema,
  libvirtHookRequestSchema,
  maxHookBodyBytes,
} from "../../libvirt-hooks/schemas.ts";
import type { DaemonServices } from "../../services.ts";
import type { Api } from "../api.ts";

/** What libvirt's hook asks. */
export function addLibvirtRoutes(app: Api, services: () => DaemonServices): void {
  app.post(
    "/v1/libvirt/hook",
    {
      config: { role: "operate" },
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
