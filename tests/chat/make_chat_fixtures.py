"""Renders chat templates with jinja2 just as transformers does; the C++ tests compare with what is written here.

Usage: make_chat_fixtures.py FOLDER. Writes FOLDER/index.json.
"""

import itertools
import json
import pathlib
import random
import sys

from transformers.utils.chat_template_utils import _compile_jinja_template

from family_templates import CHATS, EXTRAS, FAMILIES

VARIABLES = {
    "s": "Hello World", "e": "", "u": "Grüße, Welt! ☀👩‍🔬", "pad": "  \t x y \n", "lines": "one\ntwo\n\nthree\n", "q": "it's \"so\" \\ \x07\u200b",
    "csv": "a,b,,c", "num": "42", "frac": " 3.75 ", "n": 7, "neg": -3, "zero": 0, "big": 123456789012, "f": 2.5, "tiny": 1e-7, "huge": 1e22, "third": 1 / 3,
    "t": True, "no": False, "nil": None, "l": [3, 1, 2], "names": ["beta", "Alpha", "gamma", "alpha"], "empty": [], "nested": [[1, 2], [3, [4, "x"]], []],
    "d": {"b": 1, "a": [1, 2], "keys": "mine", "c": {"x": None}}, "ed": {},
    "people": [{"name": "Ann", "age": 31, "tags": ["x"]}, {"name": "bob", "age": 25}, {"name": "Cid", "age": 31, "boss": {"name": "Ann"}}],
    "mixed": [1, "two", 3.0, None, True, [], {}, {"k": "v"}],
}

EXPRESSIONS = r"""
s|upper;s|lower;s|title;s|capitalize;s|length;s|reverse;s|first;s|last;s[0];s[-1];s[99];s[1:4];s[::-1];s[-3:];s[:-3];s[::2];s[4:1:-1];s[100:];s[:100]
u|upper;u|lower;u|title;u|capitalize;u|length;u|reverse;u[3];u[-2];u[2:5];u|tojson;u|tojson(ensure_ascii=True);[u];q;[q];q|tojson;{'k': q}
pad|trim;pad.strip();pad.lstrip();pad.rstrip();pad|length;pad.split();pad.split(' ');s.split('o');s.split('o', 1);s.rsplit('o', 1);csv.split(',');csv.split(',', maxsplit=2);csv.rsplit(',', 2)
s.strip('Hd');s.lstrip('eH');s.rstrip('dl');s.startswith('Hell');s.endswith('x');s.startswith(('x', 'H'));s.find('o');s.find('zz');s.rfind('o');s.find('o', 5);s.count('l');s.index('W')
s.replace('l', 'L');s.replace('l', 'L', 1);s|replace('o', '0');s|replace('o', '0', 1);s.replace('', '-');e.replace('', '-');s.upper();s.lower();s.title();s.capitalize();s.swapcase();'ab'.join(['x','y']);', '.join(names)
'x'.isdigit();'12'.isdigit();'ab'.isalpha();'a1'.isalnum();' '.isspace();'AB'.isupper();'ab'.islower();e.isalpha();'7'.zfill(3);'-7'.zfill(4);'a'.ljust(4)~'|';'a'.rjust(4)~'|';'a'.center(4)~'|';'ab'.center(5)~'|'
s.partition(' ');s.rpartition('l');s.partition('zz');s.removeprefix('He');s.removesuffix('ld');lines.splitlines();lines|indent;lines|indent(2);lines|indent(2, true);lines|indent('> ', true, true);lines|wordcount
s|center(20)~'|';s ~ n ~ t ~ nil ~ f;s * 2;2 * s;s * 0;s * -1;s + '!';'a' 'b' "c";'\n\t\\\'\x41\u00e9\101';"it's";'"';'é'|tojson
n + 1;n - 10;n * 3;n / 2;n // 2;n % 3;n ** 2;neg // 2;neg % 2;neg / 2;-n;+n;-n + 2;2 ** 3 ** 2;2 ** -1;-2 ** 2;n + f;f * 2;f // 1;f % 1;neg % 2.5;7 // -2;-7 // 2;7 % -3;-7.5 // 2;7.5 % -2;t + 1;1 - t;big * 1000;10 / 5
f;tiny;huge;third;1.0;1e16;1e15;123456.789;1e-4;0.00001;-0.0;1.5e300;0.1 + 0.2;100.0 / 3;1_000;0x1f;0b101;0o17;1_0.5
n|string;f|string;n|float;f|int;num|int;frac|int;frac|float;'x'|int;'x'|int(5);'x'|float(1.5);'ff'|int(0, 16);'0xff'|int(0, 16);nil|int;l|int;t|int;'1_000'|int;' 12 '|int;'1e3'|int;'-5'|int;'+5'|int;'nan'|int(3);'1e400'|float
n|abs;neg|abs;f|round;2.567|round(2);2.5|round;3.5|round;0.125|round(2);2.675|round(2);f|round(0, 'ceil');f|round(0, 'floor');n|round;n|round(1);neg|round(1, 'ceil');1.005|round(2);t|abs
l|sum;l|min;l|max;l|sort;l|sort(reverse=true);l|first;l|last;l|length;l|count;l|join;l|join('-');l|reverse|list;l|list;l;l[0];l[-1];l[1:];l[::-1];l[5];l + [4];l * 2;[] + [];l == [3,1,2];l != [3];l < [3,2];[1]<[1,2];l.index(1);l.count(3)
names|sort;names|sort(case_sensitive=true);names|unique|list;names|unique(true)|list;names|map('upper')|list;names|map('length')|list;names|select('equalto', 'beta')|list;names|reject('in', ['beta'])|list;names|join(', ')|upper;names|min;names|max;names|map('replace', 'a', 'A')|list
mixed|select|list;mixed|reject|list;mixed|select('string')|list;mixed|select('number')|list;mixed|map('string')|list;mixed|tojson;mixed;mixed|length;mixed|first;mixed|last;mixed|select('mapping')|list;mixed|reject('none')|list
people|map(attribute='name')|list;people|map(attribute='boss.name')|list;people|map(attribute='tags.0', default='-')|list;people|selectattr('tags')|list|length;people|selectattr('age', 'gt', 30)|map(attribute='name')|join(',');people|rejectattr('age', 'equalto', 31)|list;people|sort(attribute='name')|map(attribute='name')|list;people|sort(attribute='age,name', reverse=true)|map(attribute='name')|list;people|sum(attribute='age');people|join('/', attribute='name');people|selectattr('boss', 'defined')|list|length;people|unique(attribute='age')|map(attribute='name')|list;people|max(attribute='age');people|tojson;people|tojson(indent=2);people[0]|tojson(indent=0)
d;d|tojson;d|tojson(indent=4);d|tojson(sort_keys=true);d|tojson(separators=(',', ':'));d|length;d|list;d|dictsort;d|dictsort(by='key', reverse=true);d|items|list;d.items()|list;d.keys()|list;d.values()|list;d['b'];d.b;d['keys'];d.get('b');d.get('z');d.get('z', 5);d.zz;d['zz'];d.a[1];d.c.x;d.c.y;d|first;d.items();d.keys();d.values();ed;ed|tojson;ed|tojson(indent=2);[]|tojson(indent=2);d|string;'b' in d;'z' in d;'b' not in d;d == {'b': 1};ed == {}
{'a': 1, 'a': 2};{1: 'x', none: 2, true: 3};{1: 'x', none: 2, 2.5: [1]}|tojson;{'x': (1, 2)};{'x': (1, 2)}|tojson;(1,);();(1, 2)[0];(1, 'a') + (2,);[1, [2, [3]]]|tojson(indent=1);{'a':[1,{'b':()}]}|tojson(indent='--')
1 < 2;1 < 2 < 3;1 < 3 < 2;3 > 2 >= 2;1 == 1.0;1 == t;'a' < 'b';'Z' < 'a';'é' > 'z';n != 7;not n;not e;not not s;n and e;e or s;n or e;nil or 'x';t and no;no or nil;zero or 'z';not t and no;not (t and no);1 if t else 2;1 if no else 2;1 if no;(1 if no) is defined;'a' if e else 'b' if n else 'c'
'ell' in s;'x' in s;e in s;3 in l;9 in l;9 not in l;not 9 in l;'x' in missing;nil in mixed;[] in mixed;1 in (1, 2);'a' in 'abc' and 'b' in 'abc';2 in range(3);'Ann' in people|map(attribute='name')
missing;missing|default('d');missing|d('d');e|default('d');e|default('d', true);nil|default('d');nil|d('d', boolean=true);missing|default;missing is defined;missing is undefined;missing is none;missing|length;missing|list;missing|join;missing|upper;missing ~ 'x';not missing;missing == missing2;missing == '';missing or 'y';d.zz is defined;d.c.y|default('q');missing|string;missing|trim;missing is iterable;missing is sequence;missing is string;missing|first;missing|sort;missing|tojson(1) if no;[missing];missing|items|list
s is string;n is string;n is number;t is number;f is number;n is integer;t is integer;f is integer;f is float;n is float;t is boolean;n is boolean;t is true;no is false;1 is true;nil is none;e is none;d is mapping;l is mapping;l is iterable;n is iterable;s is iterable;l is sequence;d is sequence;s is sequence;n is sequence;n is odd;n is even;zero is even;n is divisibleby 7;n is divisibleby(2);n is eq 7;n is equalto(8);n is ne 7;n is gt 3;n is lt 3;n is ge 7;n is le 6;n is in [7];n is not in [7];n is not none;nil is not defined;s is not string;s is lower;s is upper;'AB' is upper;'ab' is lower;nil is sameas none;t is sameas true;1 is sameas true;range is callable;n is callable;'upper' is filter;'nope' is filter;'odd' is test;n is not odd;l|map('upper') is iterable;l|map('string') is sequence;range(3) is sequence;d.items() is sequence;d.items() is iterable;d.items is callable
range(3)|list;range(1, 4)|list;range(5, 0, -2)|list;range(3);range(0, 6, 2);range(3)|length;range(3)[1];range(3)|join;range(0)|list;range(3)[::-1]|list;range(-2)|list;range(2, 5)|sum;dict(a=1, b='x');dict([('a', 1)]);dict(d, b=9);dict()|length;namespace(a=1).a;namespace().a is defined;namespace(d).b
s|e;'<a href="x">&\'</a>'|escape;'<b>'|safe;s|string|length;nested|tojson;nested;nested[1][1][1];nested|length;nested|map('length')|list;nested|map('first')|list;nested|first|last;nested[0] + nested[1];nested|sum(start=[]);nested.0;nested.1.0
l|map('string')|join('+');l|select('odd')|list;l|reject('odd')|list;l|select('gt', 1)|list;l|select('divisibleby', 2)|first;l|reverse|first;l|map('abs')|sum;l|sort|last;l|tojson;l|length > 2;(l|length) - 1;l|length - 1;l|length is odd;-l[0]|abs;-3|abs;- f|abs;(n)|string ~ 'x';n|string + 'x';s|upper|lower|title;s|upper|length;'%'|e;s|attr('nope') is defined
s.upper()[0];s.split()[1].lower();s.split(' ')|last|upper;(s ~ e).strip();(l + l)|unique|list;s[:5] ~ s[5:];s[l[1]];d[names[0][0]];people[0].name[0];people[-1]['boss'].name;people[1].tags is defined;people|first|tojson;[s, n, f, t, nil, l, d];(s, n);[[]];{'a': {}};'a' ~ 1 ~ 2.0 ~ none ~ true;1 ~ 2;n ~ ''|length;1, 2;1,;(1, 2)|length
s is defined and s|length > 3 and not e;n > 3 if t else e;l if l else 'none';[1,2,3][1:][0];'abc'[1];'abc'['upper']();s['lower']();d['get']('b');loop is defined;caller is defined;true is defined;True and not False;None is none;TRUE is defined;[1, 2,];{'a': 1,};(1, 2,);'a' == "a";'\\n';'a\
b';"\"";'{{ x }}';'}}';{'a': {'b': {}}}['a']['b'];n.real is defined or true;s.nope is defined;s.nope;n.nope;nil.nope;l.append is defined;d.pop is defined;l.append;s._x is defined
u.encode is callable;'ß'.upper();'ß'.title();'İ'.lower();'ΑΣ'.lower();'ΑΣ Σ'|lower;'ǆ'.title();'ŉ'.upper();'ﬃ'.capitalize();'éa'.isalpha();'\u00a0x\u3000'.strip();'a\u2028b'.splitlines();['\u00a0', '\u0301', '\U0001F600', '\ue000', '\x7f', '\x85'];'\U0001F600'|tojson(ensure_ascii=true);'\x7f\x1f'|tojson(true);'\x7f\x1f'|tojson
"""

STATEMENTS = [
    "{% for x in l %}{{ x }}{% endfor %}", "{% for x in empty %}{{ x }}{% else %}none{% endfor %}", "{% for x in l if x > 1 %}{{ loop.index }}:{{ x }} {% endfor %}",
    "{% for x in l if x > 9 %}{{ x }}{% else %}no{% endfor %}", "{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}", "{% for k in d %}{{ k }}{% endfor %}",
    "{% for c in u %}[{{ c }}]{% endfor %}", "{% for a, b in [(1, 2), [3, 4]] %}{{ a + b }} {% endfor %}", "{% for (a, (b, c)) in [(1, (2, 3))] %}{{ a ~ b ~ c }}{% endfor %}",
    "{% for x in l %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.depth }}{{ loop.depth0 }}|{% endfor %}",
    "{% for x in l %}{{ loop.previtem }}<{{ x }}>{{ loop.nextitem }} {% endfor %}", "{% for x in l %}{{ loop.previtem is defined }}{{ loop.nextitem|default('end') }}{% endfor %}",
    "{% for x in l %}{{ loop.cycle('a', 'b') }}{% endfor %}", "{% for x in [1,1,2,2,1] %}{{ loop.changed(x) }}{% endfor %}",
    "{% for x in l %}{% for y in l %}{{ loop.index }}{% endfor %}{{ loop.index }}{% endfor %}", "{% for x in l %}{% set outer = loop %}{% for y in [1,2] %}{{ outer.index }}{{ loop.index }} {% endfor %}{% endfor %}",
    "{% set x = 1 %}{% for y in l %}{% set x = x + y %}{{ x }}{% endfor %}{{ x }}", "{% set ns = namespace(x=1) %}{% for y in l %}{% set ns.x = ns.x + y %}{% endfor %}{{ ns.x }}",
    "{% if n == 7 %}{% set z = 'in' %}{% endif %}{{ z }}", "{% for x in l %}{% if x == 1 %}{% continue %}{% endif %}{{ x }}{% endfor %}", "{% for x in l %}{% if x == 2 %}{% break %}{% endif %}{{ x }}{% else %}e{% endfor %}",
    "{% for x in l %}{% for y in l %}{% if y == 1 %}{% break %}{% endif %}{{ y }}{% endfor %}{{ x }}{% endfor %}",
    "{% set a, b = 1, 2 %}{{ a }}{{ b }}", "{% set a = b = 2 %}", "{% set a %}x{{ n }}{% endset %}[{{ a }}]", "{% set a|upper %}x{{ s }}{% endset %}{{ a }}", "{% set a | replace('l', 'L') | trim %} {{ s }} {% endset %}[{{ a }}]",
    "{% set x = 1, 2 %}{{ x }}", "{% macro m(a, b=2, c=none) %}{{ a }}-{{ b }}-{{ c }}{% endmacro %}{{ m(1) }} {{ m(1, 3) }} {{ m(c=4, a=5) }} {{ m() }}",
    "{% macro m() %}{{ n }}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, x=2) }}{{ m() }}", "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, 2) }}", "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(b=1) }}",
    "{% macro f(k) %}{% if k > 0 %}{{ k }}{{ f(k - 1) }}{% endif %}{% endmacro %}{{ f(5) }}", "{% set y = 1 %}{% macro m() %}{{ y }}{% endmacro %}{% set y = 2 %}{{ m() }}",
    "{% macro m(a, b=a) %}{{ a }}{{ b }}{% endmacro %}{{ m(3) }}", "{% macro m() %}  x  {% endmacro %}[{{ m()|trim }}]{{ m() ~ 'y' }}", "{% macro m(x) %}{% set n = x %}{{ n }}{% endmacro %}{{ m(1) }}{{ n }}",
    "{% with a = 1, b = n %}{{ a + b }}{% endwith %}{{ a }}", "{% with %}{% set q2 = 1 %}{{ q2 }}{% endwith %}{{ q2 }}", "{% filter upper %}abc{{ s }}{% endfilter %}", "{% filter replace('a', 'b')|upper %}abca{% endfilter %}",
    "{% if e %}1{% elif n %}2{% else %}3{% endif %}", "{% if e %}1{% elif nil %}2{% else %}3{% endif %}", "{% if e %}1{% endif %}x", "{% if l|selectattr('x') %}gen{% endif %}", "{% if l is defined and l %}y{% endif %}",
    "{% generation %}a{{ n }}{% set k2 = 1 %}{% endgeneration %}{{ k2 }}", "{% raw %}{{ x }}{% endraw %}", "{% raw -%}  x {%- endraw %} y", "a {%- raw %} b {% endraw -%} c", "{# c #}x{# {{ y }} #}", "a {#- c -#} b",
    "  {% if t %}\n  x\n  {% endif %}\n  y\n", "a\n  {%- if t %}\n b{% endif -%}\n c", "x {% if t %} y {% endif %} z", "  {{ n }}  \n  {{ n }}\n\n", "\n{% set a = 1 %}\n\n{{ a }}\n", "{%+ if t %}\n x{% endif +%}\n y",
    "   {%+ if t %} x\n   {%+ endif %} y", "{{- n -}}  x  {{- n }}", "a\r\nb\rc\r\n", "a\n", "a\n\n", "\n", "", "{% if t -%}\n\n  x\n\n{%- endif %}", "line {# comment #}\n next", "  {# only #}\n  x", "\t{% set a=1 %}\t\nz", "x{% set a=1 %}\ny",
    "  {% raw %}\n  {{ a }}\n  {% endraw %}\n  b", "{{ '{% raw %}' }}", "{{ {'a': {'b': 1}} }}", "{{{'a': 1}.a}}", "{{n}}{{s}}", "{%set a=1%}{%if a%}{{a}}{%endif%}", "{{ n }}\n{% for x in l %}\n- {{ x }}\n{% endfor %}\nend",
    "{% for x in l -%}\n  {{ x }},\n{%- endfor %}", "{% for i in range(3) %}{{ i }}{% if not loop.last %}, {% endif %}{% endfor %}", "{% set it = l|map('string') %}{{ it|list }}{{ it|list }}", "{% set it = l|map('string') %}{{ it|first }}{{ it|list }}",
    "{% set ns = namespace(a=1, b='x') %}{{ ns }}{{ ns.b }}{{ ns.c }}{{ ns['a'] }}", "{% set ns = namespace(d, z=1) %}{{ ns.b }}{{ ns.z }}", "{% set ns = namespace() %}{% set ns.a = [1] %}{% set ns.a = ns.a + [2] %}{{ ns.a }}",
    "{% for m in people %}{{ m.name }}{{ ' ' ~ m.boss.name if m.boss }}{{ '\\n' if not loop.last }}{% endfor %}", "{% set l2 = [] %}{% for x in l %}{% set l2 = l2 + [x] %}{% endfor %}{{ l2 }}", "{% set x = 5 %}{% if x %}{% set x = 6 %}{% endif %}{{ x }}",
    "{% for n in l %}{{ n }}{% endfor %}{{ n }}", "{% for x in d|dictsort %}{{ x[0] }}{% endfor %}", "{% for k, v in d|items %}{{ k }}{% endfor %}", "{% for x in 'a,b'.split(',') %}{{ x }}{% endfor %}", "{% for x in 1, 2 %}{{ x }}{% endfor %}",
    "{% set loop = 3 %}{{ loop }}", "{% for x in missing %}{{ x }}{% else %}E{% endfor %}", "{% for s in names %}{{ s }}{% endfor %}{{ s }}", "{% macro a() %}A{% endmacro %}{% macro b() %}{{ a() }}B{% endmacro %}{{ b() }}", "{% for x in l %}{% macro m() %}{{ x }}{% endmacro %}{{ m() }}{% endfor %}",
    "{% set n = n + 1 %}{{ n }}", "{% set d2 = dict(d) %}{{ d2.b }}", "{{ s }}{# {% if %} #}{{ n }}", "{{ '%}' }}{% set a = '}}' %}{{ a }}", "{% if not tools is defined %}a{% endif %}", "{% set f = l|length %}{{ f }}",
    "{% if t %}{% if no %}a{% else %}b{% endif %}{% else %}c{% endif %}", "{%- for x in l -%} {{ x }} {%- endfor -%}  ", "{% for x in l %}\n{{ x }}\n{% endfor %}\n", "{% for x in l %}{{ x }}\n{% endfor %}", "{{ 'a\nb' }}\n\n{{ n }}", "\n\n  {% if t %}  \n\n x{% endif %}", "<{{ pad }}>\n", "{{ n -}} \n x", "é{% if t %}ü{% endif %}\u2028 {{ u }}",
]

ERRORS = [
    "{{ n + s }}", "{{ s + n }}", "{{ missing.x }}", "{{ missing.x.y }}", "{{ missing() }}", "{{ missing + 1 }}", "{{ -missing }}", "{{ nil + 1 }}", "{{ n() }}", "{{ 1 / 0 }}", "{{ 1 // 0 }}", "{{ 1 % 0 }}", "{{ n < s }}", "{{ missing < 1 }}", "{{ l < d }}",
    "{{ n|length }}", "{{ nil|length }}", "{{ d|tojson(bad=1) }}", "{{ missing|tojson }}", "{{ l|sort(attribute='x') }}", "{{ mixed|sort }}", "{{ n|list }}", "{{ 'a' in 5 }}", "{{ 5 in 'a' }}", "{{ n|nope }}", "{{ n is nope }}", "{{ l.append(1) }}", "{{ d.update({}) }}", "{{ d.pop('b') }}",
    "{% for x in n %}{% endfor %}", "{% for x in nil %}{% endfor %}", "{% for a, b in l %}{% endfor %}", "{% set a, b = 1, 2, 3 %}", "{% set d.x = 1 %}", "{% set missing.x = 1 %}", "{{ raise_exception('stop') }}", "{{ range(1000000) }}", "{{ range(1, 5, 0) }}", "{{ range('a') }}", "{{ s.split('') }}", "{{ s.index('zz') }}",
    "{{ s.nope() }}", "{{ nil.x() }}", "{{ d['get'] (1, 2, 3, 4) }}", "{{ l|join(1, 2, 3) }}", "{{ {[]: 1} }}", "{{ nil[1:] }}", "{{ d[1:] }}", "{{ l['a':] }}", "{{ l[::0] }}", "{{ s * s }}", "{{ l * l }}", "{{ l + s }}", "{{ [] + () }}", "{{ s|round }}", "{{ l|abs }}", "{{ l|sum(start='') }}", "{{ 2 ** 's' }}", "{{ l|map('nope')|list }}", "{{ l|select('nope')|list }}", "{{ l|map|list }}", "{{ ', '.join(l) }}",
    "{{ n.x.y }}", "{{ d.zz.y }}", "{{ loop.index }}", "{% macro m(a) %}{% endmacro %}{{ m(1, a=2) }}", "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "{{ namespace(1) }}", "{{ dict(1) }}", "{{ l|map('string')|length }}", "{{ l|map('string')|last }}", "{{ missing[1:] }}", "{{ missing[0] }}", "{{ (1 if no).x }}", "{{ (1 if no) + 1 }}",
    "{{", "{{ n", "{{ n }", "{%", "{% if", "{% if n %}", "{% if n %}{% endfor %}", "{% for x in l %}", "{% for x l %}{% endfor %}", "{% endif %}", "{% else %}", "{% elif n %}", "{% nope %}", "{# open", "{% raw %}x", "{% set %}", "{% set x %}", "{% set 1 = 2 %}", "{% set none = 2 %}", "{% macro %}{% endmacro %}", "{% macro m( %}{% endmacro %}", "{% macro m(a=1, b) %}{% endmacro %}", "{% macro m() %}",
    "{{ }}", "{{ 1 + }}", "{{ (1 }}", "{{ [1 }}", "{{ {1 }}", "{{ {'a' 1} }}", "{{ 1) }}", "{{ n. }}", "{{ n| }}", "{{ n is }}", "{{ 'open }}", "{{ n ! }}", "{{ $ }}", "{{ a b }}", "{{ l[ }}", "{{ f(a=1, 2) }}", "{{ f(a=1, a=2) }}", "{{ n is defined is none }}", "{{ not }}", "{{ 1 if }}", "{{ '\\x4' }}", "{% break %}", "{% continue %}", "{% if n %}{% else %}{% else %}{% endif %}", "{% if n %}{% else %}{% elif n %}{% endif %}", "{{ n|first.x }}", "{% do l.append(1) %}", "{{ n ?? 1 }}", "{{ a = 1 }}", "{% for x in l recursive %}{% endfor", "{% filter %}{% endfilter %}", "{% with a %}{% endwith %}", "{% include 'x' %}", "{% import 'x' as y %}", "{% extends 'x' %}",
]


def render(template, variables):
    try:
        return {"out": _compile_jinja_template(template).render(**variables)}
    except RecursionError as error:
        return {"error": type(error).__name__}
    except Exception as error:  # whatever jinja2 refuses, ours must refuse
        return {"error": f"{type(error).__name__}: {error}"}


def generated(count):
    """Random expressions put together from pieces that hold together most of the time."""
    pick = random.Random(5)
    atoms = ["n", "neg", "f", "s", "e", "u", "l", "names", "d", "t", "nil", "missing", "people", "1", "'x'", "[1, 2]", "{'a': 1}", "mixed", "nested", "2.5", "(1, 2)", "csv", "pad"]
    filters = ["length", "string", "list", "first", "last", "upper", "trim", "tojson", "default('D')", "default('D', true)", "join(',')", "int", "sort", "unique|list", "map('string')|list", "reverse|list", "capitalize", "title", "sum", "min", "abs", "select|list", "replace('a', 'b')", "round(1)", "e", "items|list", "dictsort"]
    tests = ["defined", "none", "string", "number", "mapping", "iterable", "sequence", "odd", "true", "eq 1", "in l", "boolean", "integer"]
    binary = ["+", "-", "*", "/", "//", "~", "==", "!=", "<", ">", "<=", ">=", "and", "or", "in", "not in"]

    def expression(depth):
        kind = pick.random()
        if depth == 0 or kind < 0.2:
            return pick.choice(atoms)
        if kind < 0.45:
            return f"({expression(depth - 1)})|{pick.choice(filters)}"
        if kind < 0.7:
            return f"({expression(depth - 1)}) {pick.choice(binary)} ({expression(depth - 1)})"
        if kind < 0.8:
            return f"({expression(depth - 1)}) is {pick.choice(['', 'not '])}{pick.choice(tests)}"
        if kind < 0.88:
            # Of a variable: jinja2 computes what is constant beforehand, by other rules for slices.
            return f"({pick.choice(list(VARIABLES))})[{pick.choice(['0', '-1', '1:', '::-1', ':2', repr('a'), repr('name'), '-2:'])}]"
        if kind < 0.94:
            return f"{expression(depth - 1)} if {expression(depth - 1)} else {expression(depth - 1)}"
        return f"not ({expression(depth - 1)})"

    made = []
    while len(made) < count:
        template = "{{ " + expression(pick.choice([1, 2, 2, 3])) + " }}"
        result = render(template, VARIABLES)
        # Addresses of objects are not a thing to compare; nor are whole numbers beyond 64 bits.
        if "object at 0x" in json.dumps(result) or "built-in method" in json.dumps(result) or template in made:
            continue
        made.append(template)
    return made


def cases():
    for (family, template), (chat, messages), (i, extra) in itertools.product(FAMILIES.items(), CHATS.items(), enumerate(EXTRAS)):
        yield f"{family}/{chat}/{i}", template, {"messages": messages, "documents": None, **extra}
    names = EXPRESSIONS.replace("\\\nb", "\x00").strip().replace("\n", ";").replace("\x00", "\\\nb").split(";")
    for expression in filter(None, names):
        yield "expression", "{{ " + expression + " }}", VARIABLES
    for template in STATEMENTS + ERRORS + generated(900):
        yield "statement", template, VARIABLES


def main():
    folder = pathlib.Path(sys.argv[1])
    made = []
    for name, template, variables in cases():
        case = {"name": name, "template": template, **render(template, variables)}
        if variables is not VARIABLES:
            case["variables"] = variables
        made.append(case)
    index = {"variables": VARIABLES, "cases": made}
    (folder / "index.json").write_text(json.dumps(index, ensure_ascii=False, indent=0), encoding="utf-8")
    print(len(made), "cases,", sum("error" in case for case in made), "of them errors")


if __name__ == "__main__":
    main()
