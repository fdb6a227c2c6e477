/**
 * Stands in for `sojourn` inside a lab, so that the lab can be tested by itself: a daemon that answers
 * /healthz, a "guest" that is an address with an echo server on the host's bridge, a "migration" that prints.
 * usage: stand-in MODE COMMAND…; MODE "broken" has a daemon that ends at once.
 */
import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { createServer as createTcpServer } from "node:net";

const [mode, command, action, name] = process.argv.slice(2);
const runFolder = "/run/sojourn";
const guestFile = `${runFolder}/${name ?? "web1"}.started`;
const print = (value: unknown) => process.stdout.write(`${JSON.stringify(value)}\n`);

if (command === "daemon") runDaemon();
else if (command === "guest" && action === "ls") listGuests();
else if (command === "guest" && action === "start") startGuest();
else if (command === "serve") serveEcho();
else if (command === "migrate") migrate();
else process.exit(2);

function runDaemon(): void {
  if (mode === "broken") {
    process.stderr.write("cannot start: this is the stand-in that never does\n");
    process.exit(3);
  }
  mkdirSync(runFolder, { recursive: true });
  rmSync(`${runFolder}/sojourn.sock`, { force: true });
  createServer((_request, response) => response.end("{}")).listen(`${runFolder}/sojourn.sock`);
}

function listGuests(): void {
  const isHere = existsSync(`${runFolder}/web1.started`);
  print([{ name: "web1", state: isHere ? "running" : "stopped" }]);
}

function startGuest(): void {
  execFileSync("/usr/sbin/ip", ["address", "add", "10.1.0.10/32", "dev", "guests0"]);
  const self = [process.argv[1] as string, mode as string, "serve"];
  spawn(process.execPath, self, { detached: true, stdio: "ignore" }).unref();
  writeFileSync(guestFile, "");
  print({ name, state: "running" });
}

function serveEcho(): void {
  createTcpServer((socket) => {
    socket.on("error", () => {});
    socket.pipe(socket);
  }).listen(7, "10.1.0.10");
}

function migrate(): void {
  print({ type: "phase", phase: "preparing" });
  if (mode === "slow") {
    setInterval(() => {}, 1000);
    process.on("SIGTERM", () => process.exit(0));
    return;
  }
  print({
    type: "report",
    guest: action,
    outcome: "rolled-back",
    node: process.env.SOJOURN_LAB_NODE,
  });
  process.exitCode = 4;
}
