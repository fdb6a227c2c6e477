/** One step of a plan: a line that a person can read (`ip link add …`) and the line that takes it back. */
export interface PlanLine {
  command: string;
  undo: string | null;
}
