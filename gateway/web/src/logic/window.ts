// Which rows of a long list are near the screen. Arithmetic only: the view measures and scrolls.

export interface RowWindow {
  first: number;
  /** One past the last. */
  end: number;
}

/** Rows drawn beyond the edges, so that a flick of the wheel does not show blanks. */
export const OVERSCAN = 12;
/** Rows move in and out in blocks of this many: fewer renders while scrolling. */
const BLOCK = 4;

/** `top` is how far the list's start is above the screen's, in pixels; negative when below it. */
export function visibleRows(top: number, screenHeight: number, rowHeight: number, rows: number): RowWindow {
  const first = Math.floor(top / rowHeight) - OVERSCAN;
  const end = Math.ceil((top + screenHeight) / rowHeight) + OVERSCAN;
  const clamp = (row: number): number => Math.min(rows, Math.max(0, row));
  return {
    first: clamp(Math.floor(first / BLOCK) * BLOCK),
    end: clamp(Math.ceil(end / BLOCK) * BLOCK),
  };
}
