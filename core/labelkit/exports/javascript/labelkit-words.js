// Splits raw text into words as labelkit does. Places are UTF-16 units here; labelkit.js adds code points.

const BLANK = '\\p{White_Space}\\x1c-\\x1f';
const VISIBLE = `[^${BLANK}]`;
const WORD = '[\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\u200c\\u200d]';
const NOT_AFTER_WORD = `(?<!${WORD})`;
const NOT_BEFORE_WORD = `(?!${WORD})`;
const QUOTED = '"“”„«»';
const ENDINGS = '(?:[sS\\u017f]|[rR][eE]|[vV][eE]|[lL][lL]|[dD]|[mM])';
const CLITIC = `(?:[nN]['’][tT]|['’]${ENDINGS})${NOT_BEFORE_WORD}`;
const SHORT_FORMS = `Mr Mrs Ms Mme Mlle Messrs Dr Prof Rev Hon St Jr Sr Ph.D Gov Sen Sens Rep Reps Gen Col Lt Capt Sgt
  Maj Cpl Adm Inc Corp Ltd Co Cos Bros Bhd Dept Univ vs vol approx etc cf al ca Jan Feb Aug Sep Sept Oct Nov Dec Ave
  Blvd Rd Mt Ft Ala Ariz Ark Calif Colo Conn Del Fla Ga Ill Ind Kan Ky La Mass Md Mich Minn Mo Mont Neb Nev Okla Ore Pa
  Tenn Tex Va Vt Wash Wis Wyo`;
const ABBREVIATED = [...SHORT_FORMS.split(/\s+/), ...SHORT_FORMS.toUpperCase().split(/\s+/)]
  .map((form) => form.replaceAll('.', '\\.'))
  .join('|');
const DOTTED = '|\\p{L}\\.\\p{L}(?:\\.\\p{L})*';
// dotted letters are known in front of a full stop only: behind it the initial before it decides
const abbreviation = (dotted) =>
  `(?:${NOT_AFTER_WORD}(?:${ABBREVIATED}${dotted}|\\p{Lu}(?!\\.\\p{White_Space}*$)` +
  `|[Nn]o(?=\\.\\p{White_Space}*\\p{Nd}))\\.${NOT_BEFORE_WORD})`;
const LINK = '(?:(?:https?|ftp):\\/\\/|www\\.)';

const sticky = (source) => new RegExp(source, 'uy');
// in order: the first that matches at a place is the word there; null stands for words and numbers
const RULES = [
  sticky(`[A-Za-z]+(?=[${BLANK},;!?)"”]|$)`),
  sticky(`${LINK}[^${BLANK}<>${QUOTED}]*(?:${WORD}|[\\/=#&%~+$\\-])`),
  sticky(
    `(?<!${WORD}|@)(?:${WORD}|[.+\\-]){1,64}@${WORD}(?:${WORD}|-)*(?:\\.${WORD}(?:${WORD}|-)*)+`,
  ),
  sticky(
    `${NOT_AFTER_WORD}(?:[:;=]['’]?[\\-~^o]?(?=([()[\\]DPpOo\\/\\\\|*3]{1,9}))\\1` +
      `|[([][\\-^]?[:;=]|8-[)(D]|<3|\\^_*\\^|-_+-` +
      `|[TtOo]_+[TtOo])${NOT_BEFORE_WORD}`,
  ),
  sticky(`&#?${WORD}+;`),
  sticky(`([._=~+#<>'\`\\-])\\1+|[!?]{2,}|${NOT_AFTER_WORD}(?=(\\*+))\\2${NOT_BEFORE_WORD}`),
  sticky(`(?<=${WORD})${CLITIC}|(?<!${VISIBLE})['’]${ENDINGS}${NOT_BEFORE_WORD}`),
  sticky(`${NOT_AFTER_WORD}['’]\\p{Nd}\\p{Nd}s?${NOT_BEFORE_WORD}`),
  sticky(`${NOT_AFTER_WORD}[@#](?:(?!${CLITIC})${WORD})+`),
  sticky('(?<=^|[\\n\\v\\f\\x85\\u2028\\u2029]|\\r(?!\\n))\\p{Nd}+\\.(?=[ \\t])'),
  sticky('\\p{Lu}{1,3}\\p{Sc}'),
  null,
];
const IS_WORD = sticky(WORD);
const IS_VISIBLE = sticky(VISIBLE);
const IS_CLITIC = sticky(CLITIC);
const IS_ABBREVIATION = sticky(abbreviation(DOTTED));
const AFTER_WORD = sticky(`(?<=${WORD})`);
const JOINT = sticky(`(?!${CLITIC})(?:[\\-‐‑\\/&+=_@.'’]|\\*+|\\\\\\/|(?<=\\p{Nd}):(?=\\p{Nd}))(?=${WORD})`);
const TAIL = sticky(
  `(?:[\\-+=\\/]|(?<=\\p{Nd})--|[\\-=]{3,})(?!${VISIBLE})|[\\-+](?!${WORD}|[\\-+])|\\*+${NOT_BEFORE_WORD}`,
);
const ALONE = new RegExp(
  `(?<!\\P{White_Space})(?:[.,;:!?()[\\]{}"“”'’]|\`\`|''|[nN]['’][tT]|['’]${ENDINGS})(?!\\P{White_Space})`,
  'gu',
);
const ATTACHED = new RegExp(
  `(?:${WORD}[,;:!?]|(?:${WORD}|[.!?,])[”"“)\\]}]|${WORD}[.!?,;:]{2,})(?!\\P{White_Space})` +
    `|(?<!\\P{White_Space})["“(\\[{]${WORD}`,
  'gu',
);
const FULL_STOP = new RegExp(`${WORD}(?<!\\p{Nd}[sS])\\.(?!\\P{White_Space})(?<!${abbreviation('')})`, 'gu');
const COMMA = new RegExp(`${WORD},(?!\\P{White_Space})`, 'gu');
const ONE_LINK = new RegExp(`^\\p{White_Space}*${LINK}\\P{White_Space}+\\p{White_Space}*$`, 'u');
const ALL_VISIBLE = new RegExp(`${VISIBLE}+`, 'gu');
const WEAK = new Set(':;!?');
const ENCLOSING = new Set(['(', ')', '[', ']', '{', '}', '"', '“', '”', "'", '’', '``', "''"]);

const matches = (pattern, text, place) => {
  pattern.lastIndex = place;
  return pattern.test(text);
};
const end = (pattern, text, place) => (matches(pattern, text, place) ? pattern.lastIndex : -1);
const width = (text, place) => (text.codePointAt(place) > 0xffff ? 2 : 1);
const count = (text, pattern) => [...text.matchAll(pattern)].length;

/** Properties of characters: for each name sorted [first, last, first, last, …], made by labelkit. */
export class Characters {
  constructor(ranges) {
    this.ranges = Object.fromEntries(Object.entries(ranges).map(([name, gaps]) => [name, absolute(gaps)]));
    this.names = Object.fromEntries(['wb', 'gcb'].map((kind) => [kind, this.#table(kind)]));
  }

  /** Return whether a code point is in the ranges of this name. */
  has(name, code) {
    return position(this.ranges[name] ?? [], code) % 2 === 1;
  }

  /** Return the word break (wb) or grapheme cluster break (gcb) property of a code point. */
  property(kind, code) {
    const { starts, ends, names } = this.names[kind];
    let low = 0;
    let high = starts.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (starts[middle] <= code) low = middle + 1;
      else high = middle;
    }
    return low > 0 && code <= ends[low - 1] ? names[low - 1] : 'Other';
  }

  #table(kind) {
    const rows = Object.entries(this.ranges)
      .filter(([name]) => name.startsWith(`${kind}:`))
      .flatMap(([name, ranges]) =>
        Array.from({ length: ranges.length / 2 }, (_, row) => {
          const [first, end] = ranges.slice(2 * row, 2 * row + 2);
          return [first, end - 1, name.slice(kind.length + 1)];
        }),
      )
      .sort((a, b) => a[0] - b[0]);
    return { starts: rows.map((row) => row[0]), ends: rows.map((row) => row[1]), names: rows.map((row) => row[2]) };
  }
}

function absolute(gaps) {
  let place = 0;
  return gaps.map((gap) => (place += gap));
}

function position(borders, code) {
  let low = 0;
  let high = borders.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (borders[middle] <= code) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Return the places of the words of a text, [start, end] each, by the splitter of that name. */
export function splitWords(text, splitter, characters) {
  if (splitter === 'whitespace') return visible(text);
  if (splitter === 'characters') return scan(text, (place) => characterEnd(text, place, characters));
  if (splitter !== 'words') {
    throw new Error(`raw text cannot be split into words, the splitter is '${splitter}': give a list of words`);
  }
  if (isPretokenized(text)) return visible(text);
  const isBorder = wordBorders(text, characters);
  return scan(text, (place) => wordEnd(text, place, isBorder, characters));
}

function visible(text) {
  return [...text.matchAll(ALL_VISIBLE)].map((match) => [match.index, match.index + match[0].length]);
}

function scan(text, find) {
  const found = [];
  let place = 0;
  while (place < text.length) {
    if (!matches(IS_VISIBLE, text, place)) {
      place += width(text, place);
      continue;
    }
    const stop = find(place);
    found.push([place, stop]);
    place = stop;
  }
  return found;
}

/** Return whether the words of a text are separated by spaces already, judging by its punctuation. */
export function isPretokenized(text) {
  const alone = [...text.matchAll(ALONE)].map((match) => match[0]);
  if (!alone.length) return ONE_LINK.test(text);
  const fullStops = count(text, FULL_STOP);
  const stops = fullStops + count(text, COMMA);
  const strong = alone.filter((mark) => !WEAK.has(mark) && !(stops && ENCLOSING.has(mark))).length;
  const attached = count(text, ATTACHED);
  return strong ? strong > 2 * (attached + fullStops) : !attached && !fullStops;
}

function wordEnd(text, place, isBorder, characters) {
  for (const rule of RULES) {
    const stop = rule === null ? compoundEnd(text, place, isBorder) : end(rule, text, place);
    if (stop > place) return stop;
  }
  const unit = unitEnd(text, place, isBorder);
  if (unit > place) return unit;
  const alone = characters.property('gcb', text.codePointAt(place)) === 'Prepend';
  return alone ? place + width(text, place) : clusterEnd(text, place, characters);
}

/** Return the end of a word with its joints, as in AT&T and 14-6; -1 if none begins here. */
function compoundEnd(text, place, isBorder) {
  if (matches(AFTER_WORD, text, place)) return -1;
  let stop = -1;
  const sign = '-+−'.includes(text[place]) ? 1 : 0;
  for (const skip of sign ? [2, 1] : [1, 0]) {
    if (skip > sign && text[place + sign] !== '.') continue;
    stop = partEnd(text, place + skip, isBorder);
    if (stop > 0) break;
  }
  if (stop < 0 && text[place] === '*') {
    let stars = place;
    while (text[stars] === '*') stars += 1;
    stop = partEnd(text, stars, isBorder);
  }
  if (stop < 0) return -1;
  for (let joint = end(JOINT, text, stop); joint > 0; joint = end(JOINT, text, stop)) {
    stop = partEnd(text, joint, isBorder);
  }
  return Math.max(stop, end(TAIL, text, stop));
}

function partEnd(text, place, isBorder) {
  const stop = end(IS_ABBREVIATION, text, place);
  return stop > 0 ? stop : unitEnd(text, place, isBorder);
}

/** Return the next word boundary after a letter or digit, or the clitic before it; -1 if there is none here. */
function unitEnd(text, place, isBorder) {
  let stop = end(IS_WORD, text, place);
  if (stop < 0) return -1;
  while (!isBorder(stop) && !matches(IS_CLITIC, text, stop)) {
    if (!matches(IS_VISIBLE, text, stop)) return -1;
    stop += width(text, stop);
  }
  return stop;
}

/** Return a function that says whether a place is a word boundary of UAX #29. */
function wordBorders(text, characters) {
  const codes = [];
  const places = [];
  for (let place = 0; place < text.length; place += width(text, place)) {
    places.push(place);
    codes.push(text.codePointAt(place));
  }
  const kinds = codes.map((code) => characters.property('wb', code));
  const borders = new Set([0, text.length]);
  let flags = 0;
  let first = -1;
  let before = -1; // the last character that is no Extend, Format or ZWJ
  for (let index = 0; index < kinds.length; index += 1) {
    const kind = kinds[index];
    if (index > 0 && isWordBorder(kinds, codes, characters, { index, before, first, flags })) {
      borders.add(places[index]);
    }
    if (index > 0 && SKIPPED.has(kind) && !BREAKS.has(kinds[index - 1])) continue;
    flags = kind === 'Regional_Indicator' ? flags + 1 : 0;
    if (first < 0 && !SKIPPED.has(kind)) first = index;
    before = index;
  }
  return (place) => borders.has(place);
}

const BREAKS = new Set(['CR', 'LF', 'Newline']);
const SKIPPED = new Set(['Extend', 'Format', 'ZWJ']);
const LETTERS = new Set(['ALetter', 'Hebrew_Letter']);
const IN_WORDS = new Set(['MidLetter', 'MidNumLet', 'Single_Quote']);
const IN_NUMBERS = new Set(['MidNum', 'MidNumLet', 'Single_Quote']);
const APOSTROPHES = new Set([0x27, 0x2019]);
const VOWELS = new Set('AEIOUaeiouÀÁÂÈÉÊÌÍÎÒÓÔÙÚÛàáâèéêìíîòóôùúûİ');
const JOINED = new Set(['ALetter', 'Hebrew_Letter', 'Numeric', 'Katakana', 'ExtendNumLet']);

function isWordBorder(kinds, codes, characters, { index, before, first, flags }) {
  const direct = kinds[index - 1];
  const kind = kinds[index];
  if (direct === 'CR' && kind === 'LF') return false;
  if (BREAKS.has(direct) || BREAKS.has(kind)) return true;
  if (direct === 'ZWJ' && characters.has('pictographic', codes[index])) return false;
  if (direct === 'WSegSpace' && kind === 'WSegSpace') return false;
  if (SKIPPED.has(kind) || (before === 0 && SKIPPED.has(kinds[0]))) return false;
  const last = kinds[before];
  // three rules of the engine of labelkit's splitter that UAX #29 has not: vowels after an apostrophe, a flag after
  // marks at the start, and marks that are not skipped in what is one further
  if (APOSTROPHES.has(codes[before]) && VOWELS.has(String.fromCodePoint(codes[index]))) return false;
  if (last === 'Regional_Indicator' && before === first && before > 0) return false;
  const second = kinds[before - 1];
  const next = kinds[index + 1];
  if (LETTERS.has(last) && LETTERS.has(kind)) return false;
  if (LETTERS.has(last) && IN_WORDS.has(kind) && LETTERS.has(next)) return false;
  if (LETTERS.has(second) && IN_WORDS.has(last) && LETTERS.has(kind)) return false;
  if (last === 'Hebrew_Letter' && kind === 'Single_Quote') return false;
  if (last === 'Hebrew_Letter' && kind === 'Double_Quote' && next === 'Hebrew_Letter') return false;
  if (second === 'Hebrew_Letter' && last === 'Double_Quote' && kind === 'Hebrew_Letter') return false;
  if (last === 'Numeric' && (kind === 'Numeric' || LETTERS.has(kind))) return false;
  if (LETTERS.has(last) && kind === 'Numeric') return false;
  if (second === 'Numeric' && IN_NUMBERS.has(last) && kind === 'Numeric') return false;
  if (last === 'Numeric' && IN_NUMBERS.has(kind) && next === 'Numeric') return false;
  if (last === 'Katakana' && kind === 'Katakana') return false;
  if (JOINED.has(last) && kind === 'ExtendNumLet') return false;
  if (last === 'ExtendNumLet' && JOINED.has(kind)) return false;
  return !(last === 'Regional_Indicator' && kind === 'Regional_Indicator' && flags % 2 === 1);
}

const ATTACH = new Set(['Extend', 'ZWJ', 'SpacingMark']);
const CONTROLS = new Set(['CR', 'LF', 'Control']);

/** Return the end of a grapheme cluster; marks of the kind Prepend alone are one if nothing visible follows. */
function characterEnd(text, place, characters) {
  let stop = place;
  while (stop < text.length && characters.property('gcb', text.codePointAt(stop)) === 'Prepend') {
    stop += width(text, stop);
  }
  return stop > place && !matches(IS_VISIBLE, text, stop) ? stop : clusterEnd(text, place, characters);
}

/** Return the end of the grapheme cluster that begins at a place. */
function clusterEnd(text, place, characters) {
  const kindAt = (at) => characters.property('gcb', text.codePointAt(at));
  let stop = place + width(text, place);
  let last = kindAt(place);
  let flags = last === 'Regional_Indicator' ? 1 : 0;
  let emoji = characters.has('pictographic', text.codePointAt(place));
  while (stop < text.length) {
    const kind = kindAt(stop);
    const code = text.codePointAt(stop);
    const emojis = emoji && last === 'ZWJ' && characters.has('pictographic', code);
    const pair = last === 'Regional_Indicator' && kind === last && flags % 2 === 1;
    const attached = pair || last === 'Prepend' || ATTACH.has(kind) || joinsSyllable(last, kind) || emojis;
    const joined = (last === 'CR' && kind === 'LF') || (!CONTROLS.has(last) && !CONTROLS.has(kind) && attached);
    if (!joined) break;
    if (characters.has('pictographic', code)) emoji = true;
    else if (kind !== 'Extend' && kind !== 'ZWJ') emoji = false;
    if (kind === 'Regional_Indicator') flags += 1;
    last = kind;
    stop += width(text, stop);
  }
  return stop;
}

function joinsSyllable(last, kind) {
  if (last === 'L') return ['L', 'V', 'LV', 'LVT'].includes(kind);
  if (last === 'LV' || last === 'V') return kind === 'V' || kind === 'T';
  return (last === 'LVT' || last === 'T') && kind === 'T';
}
