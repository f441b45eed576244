// Which words two texts do not share: a longest common subsequence of words, spaces and signs.

const LARGEST = 4_000_000; // cells of the table; beyond it, words that the other text has nowhere

export function differences(left, right) {
  const words = [left, right].map((text) => text.match(/[\p{L}\p{M}\p{N}_]+|\s+|[^\s\p{L}\p{M}\p{N}_]/gu) ?? []);
  const [a, b] = words;
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start += 1;
  let end = 0;
  while (end < a.length - start && end < b.length - start && a.at(-1 - end) === b.at(-1 - end)) end += 1;
  const middle = words.map((list) => list.slice(start, list.length - end));
  const shared = middle[0].length * middle[1].length > LARGEST ? nowhere(...middle) : common(...middle);
  return words.map((list, side) => {
    const same = list.map((_, at) => at < start || at >= list.length - end || shared[side].has(at - start));
    return runs(list, same);
  });
}

// The positions, in each list, of the words of a longest common subsequence.
function common(a, b) {
  const width = b.length + 1;
  const length = new Uint16Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      const at = i * width + j;
      length[at] = a[i] === b[j] ? length[at + width + 1] + 1 : Math.max(length[at + width], length[at + 1]);
    }
  }
  const shared = [new Set(), new Set()];
  for (let i = 0, j = 0; i < a.length && j < b.length;) {
    const at = i * width + j;
    if (a[i] === b[j]) {
      shared[0].add(i++);
      shared[1].add(j++);
    } else if (length[at + width] >= length[at + 1]) i += 1;
    else j += 1;
  }
  return shared;
}

function nowhere(a, b) {
  const among = (list, other) => new Set([...list.keys()].filter((at) => other.has(list[at])));
  return [among(a, new Set(b)), among(b, new Set(a))];
}

// Neighbours that are alike in one piece; a lone space between two differing words belongs to them.
function runs(list, same) {
  const pieces = [];
  list.forEach((text, at) => {
    const bridge = same[at] && !text.trim() && at > 0 && !same[at - 1] && same[at + 1] === false;
    const differs = (!same[at] && (text.trim() !== "" || pieces.at(-1)?.differs === true)) || bridge;
    if (pieces.at(-1)?.differs === differs) pieces.at(-1).text += text;
    else pieces.push({ text, differs });
  });
  return pieces;
}
