/**
 * Small program: stops a Node process at a line of its source, with the inspector that SIGUSR1 opens.
 * usage: pause-at PID FILE LINE CONDITION; LINE counts from 0, CONDITION is an expression in that line's scope.
 * Prints `ready` once the line is watched and `paused` when the process stands there. Ends with its standard
 * input; a process that still stands then goes on.
 */
const inspectorUrl = "http://127.0.0.1:9229/json/list";
const [pid = "", file = "", line = "", condition = ""] = process.argv.slice(2);

process.kill(Number(pid), "SIGUSR1");
const socket = new WebSocket(await debuggerUrl());
await new Promise((resolve, reject) => {
  socket.onopen = resolve;
  socket.onerror = reject;
});
const answers = new Map<number, (answer: unknown) => void>();
let asked = 0;
socket.onmessage = ({ data }) => {
  const message = JSON.parse(String(data));
  answers.get(message.id)?.(message);
  if (message.method === "Debugger.paused") console.log("paused");
};
socket.onclose = () => process.exit(0);
process.stdin.resume().on("end", () => socket.close());

await ask("Debugger.enable", {});
const place = { urlRegex: `${file}$`, lineNumber: Number(line), condition };
console.log("ready", JSON.stringify(await ask("Debugger.setBreakpointByUrl", place)));

async function debuggerUrl(): Promise<string> {
  for (let attempt = 0; ; attempt++) {
    try {
      const [target] = (await (await fetch(inspectorUrl)).json()) as [
        { webSocketDebuggerUrl: string },
      ];
      return target.webSocketDebuggerUrl;
    } catch (error) {
      if (attempt === 200) throw error;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

function ask(method: string, params: object): Promise<unknown> {
  asked += 1;
  const id = asked;
  socket.send(JSON.stringify({ id, method, params }));
  return new Promise((resolve) => answers.set(id, resolve));
}
