export { daemonSocket, killDaemon, restartDaemon } from "./daemon-process.ts";
export { type DemoOptions, demoLab } from "./demo.ts";
export { type DownSummary, downLab } from "./down.ts";
export { execInNode } from "./exec.ts";
export { type Topology, topologies } from "./layout.ts";
export { chosenLab, labNodePrefix, nodesOfLab } from "./nodes.ts";
export { type LabSummary, type UpOptions, upLab } from "./up.ts";
