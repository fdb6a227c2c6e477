export { type ControlRunnerOptions, createControlRunner } from "./runner.ts";
