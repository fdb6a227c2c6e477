import { existsSync, readdirSync, readFileSync } from "node:fs";

/** What this machine shows of a lab of that name. Empty lists everywhere when there is none. */
export function footprintOf(lab: string) {
  return {
    namespaces: listed("/run/netns").filter((name) => name.startsWith(`${lab}-`)),
    mounts: lines("/proc/self/mountinfo").filter((line) => line.includes(lab)),
    links: listed("/sys/class/net").filter((name) => /^(client|host-[a-h]|guests0)$/.test(name)),
    processes: listed("/proc").filter((pid) => /^\d+$/.test(pid) && isOf(lab, pid)),
    files: ["/run/sojourn-lab", "/var/lib/sojourn-lab"].filter((folder) =>
      existsSync(`${folder}/${lab}`),
    ),
    shared: sharedFolders(),
  };
}

/** Folders that exist while any lab is up; another lab on this machine keeps them, which is not ours to judge. */
function sharedFolders(): string[] {
  if (listed("/run/sojourn-lab").some((name) => name !== "machine.json")) return [];
  return ["/run/sojourn-lab", "/var/lib/sojourn-lab"].filter((folder) => existsSync(folder));
}

function isOf(lab: string, pid: string): boolean {
  const inLab = lines(`/proc/${pid}/mountinfo`).some((line) =>
    line.includes(`sojourn-lab:${lab}:`),
  );
  return inLab || lines(`/proc/${pid}/environ`).join("").includes(`SOJOURN_LAB=${lab}\0`);
}

function listed(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}

function lines(path: string): string[] {
  try {
    return readFileSync(path, "utf8").split("\n");
  } catch {
    return [];
  }
}
