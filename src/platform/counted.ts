/** A count with its noun, in the singular for one: `1 guest`, `2 guests`. Pure. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}
