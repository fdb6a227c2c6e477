import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Guests } from "../../../src/migrator/guests.ts";
import { createLogger } from "../../../src/platform/log.ts";
import { hostA, temporaryFolder } from "./support.ts";

test("in maintenance no guest is started, and one that is not known is told as that", async () => {
  using folder = temporaryFolder();
  writeFileSync(
    join(folder.path, "web1.toml"),
    'name = "web1"\nmemory_mib = 128\nkernel = "/k"\n[[nics]]\nmac = "52:54:00:00:00:10"\naddresses = ["10.1.0.10/24"]\ngateway = "10.1.0.1"\n',
  );
  const guests = new Guests({
    ...{ host: hostA, definitionsFolder: folder.path, logger: createLogger("silent") },
    ...{ records: { get: () => undefined }, hypervisor: {}, network: {} },
    maintenance: { isOn: true },
  } as unknown as ConstructorParameters<typeof Guests>[0]);
  await expect(guests.start("web1")).rejects.toMatchObject({
    ...{ code: "SOJ_HOST_MAINTENANCE", exitCode: 3, httpStatus: 409, guestState: "untouched" },
    ...{ message: "web1 cannot be started: host-a is in maintenance" },
    hint: expect.stringContaining("sojourn maintenance off"),
  });
  await expect(guests.start("web9")).rejects.toMatchObject({ code: "SOJ_GUEST_UNKNOWN" });
});
