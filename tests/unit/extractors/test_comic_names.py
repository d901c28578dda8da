"""What names and places of comics say, in the habits of scanners, publishers and people of several countries."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from censusd.extractors.comics.names import parse_name, plain_number
from censusd.extractors.comics.places import parse_place
from tests.tools.comic_names import said, table

NAMES = """

# Issues, as American scanners name them.
Series 012 (2019) (Digital) (Zone-Empire).cbz
    series=Series | number=12 | year=2019 | release=Digital, Zone-Empire
Amazing Spider-Man 700.1 (2013) (Digital) (Zone-Empire).cbz
    series=Amazing Spider-Man | number=700.1 | year=2013 | release=Digital, Zone-Empire
The Walking Dead 001 (2003) (digital-Empire).cbz
    series=The Walking Dead | number=1 | year=2003 | release=digital-Empire
Walking Dead, The 012 (2004).cbz
    series=The Walking Dead | number=12 | year=2004
Teenage Mutant Ninja Turtles 100 (2019) (c2c) (Empire).cbr
    series=Teenage Mutant Ninja Turtles | number=100 | year=2019 | release=c2c, Empire
The Immortal Hulk - 050 (2021) (Digital).cbz
    series=The Immortal Hulk | number=50 | year=2021 | release=Digital
Star Wars - Darth Vader 012 (2021) (Digital).cbz
    series=Star Wars - Darth Vader | number=12 | year=2021 | release=Digital
Gotham City Sirens 09(2010).cbz
    series=Gotham City Sirens | number=9 | year=2010
Series (2019) 003 (Digital).cbz
    series=Series | number=3 | year=2019 | release=Digital
Series (2019) #3.cbz
    series=Series | number=3 | year=2019
Batman (1940) #1
    series=Batman | number=1 | year=1940

# Limited series.
Batman - The Dark Knight Returns 01 (of 04) (1986) (Digital).cbr
    series=Batman - The Dark Knight Returns | number=1 | count=4 | year=1986 | release=Digital
Series 1 of 6 (2019).cbz
    series=Series | number=1 | count=6 | year=2019
The Boys 001 (of 72).cbz
    series=The Boys | number=1 | count=72
Series (2 of 5) (2001).cbz
    series=Series | number=2 | count=5 | year=2001

# Numbers that are no plain numbers.
Series #1.5.cbz
    series=Series | number=1.5
Uncanny Avengers 008AU (2013).cbz
    series=Uncanny Avengers | number=8AU | year=2013
Deadpool 001.MU (2017).cbz
    series=Deadpool | number=1.MU | year=2017
Superman #½.cbz
    series=Superman | number=0.5
Wolverine ½ (1997).cbz
    series=Wolverine | number=0.5 | year=1997
Green Lantern -1 (1997).cbz
    series=Green Lantern | number=-1 | year=1997
X-Men #-1 (1997).cbz
    series=X-Men | number=-1 | year=1997
Justice League 000 (2012).cbz
    series=Justice League | number=0 | year=2012
Series #001-006.cbz
    series=Series | number=1 | last_number=6
Sandman 001-008 (1989).cbz
    series=Sandman | number=1 | last_number=8 | year=1989
Action Comics 1000 (2018) (Digital).cbz
    series=Action Comics | number=1000 | year=2018 | release=Digital

# Names of series that have numbers in them.
X-Men '92 001 (2015).cbz
    series=X-Men '92 | number=1 | year=2015
100 Bullets 045 (2003).cbr
    series=100 Bullets | number=45 | year=2003
100 Bullets.cbz
    series=100 Bullets
52 001 (2006).cbz
    series=52 | number=1 | year=2006
Blade Runner 2049 (2017).cbz
    series=Blade Runner 2049 | year=2017
Spider-Man 2099 001 (2014) (Digital).cbz
    series=Spider-Man 2099 | number=1 | year=2014 | release=Digital
2000AD 1234 (2001).cbz
    series=2000AD | number=1234 | year=2001
2000 AD Prog 2023 (2017).cbz
    series=2000 AD | number=2023 | year=2017
Area 51 - 03.cbz
    series=Area 51 | number=3
Injustice 2 001 (2017) (digital).cbz
    series=Injustice 2 | number=1 | year=2017 | release=digital
Batman 66 Meets Wonder Woman 77 012.cbz
    series=Batman 66 Meets Wonder Woman 77 | number=12
Crossed +100 06 (2015).cbz
    series=Crossed +100 | number=6 | year=2015
No. 6 v01.cbz
    series=No. 6 | volume=1
07-Ghost v01.cbz
    series=07-Ghost | volume=1
20th Century Boys v05 (2009) (Digital).cbz
    series=20th Century Boys | volume=5 | year=2009 | release=Digital

# Dates.
Detective Comics 027 (May 1939).cbz
    series=Detective Comics | number=27 | year=1939 | month=5
Spawn #300 (Sept 2019).cbz
    series=Spawn | number=300 | year=2019 | month=9
Detective Comics 1027 (2020-09-15) (Digital).cbz
    series=Detective Comics | number=1027 | year=2020 | month=9 | day=15 | release=Digital
Dylan Dog 001 - L'alba dei morti viventi (1986-10).cbr
    series=Dylan Dog | number=1 | title=L'alba dei morti viventi | year=1986 | month=10
Heavy Metal 1977-04.cbz
    series=Heavy Metal | year=1977 | month=4

# Annuals, specials, collected editions.
Batman Annual 003 (2014).cbz
    series=Batman Annual | number=3 | year=2014 | format=Annual
Batman Annual 2019 (2019).cbz
    series=Batman Annual | number=2019 | year=2019 | format=Annual
Free Comic Book Day 2019.cbz
    series=Free Comic Book Day 2019 | year=2019 | format=FCBD
Watchmen (1987) (TPB) (Digital).cbz
    series=Watchmen | year=1987 | format=TPB | release=Digital
Fables v01 - Legends in Exile (2002) (Digital).cbz
    series=Fables | volume=1 | title=Legends in Exile | year=2002 | release=Digital
Batman - Year One (2012) (Digital).cbz
    series=Batman - Year One | year=2012 | release=Digital
Batman - Year One 02 (1987).cbz
    series=Batman - Year One | number=2 | year=1987

# Titles.
Series 012 - The Title (2019).cbz
    series=Series | number=12 | title=The Title | year=2019
Series 012 The Title (2019).cbz
    series=Series | number=12 | title=The Title | year=2019
Series #12 - 100 Ways to Die.cbz
    series=Series | number=12 | title=100 Ways to Die
Y - The Last Man 001 - Unmanned (2002).cbz
    series=Y - The Last Man | number=1 | title=Unmanned | year=2002
01 - Pilot.cbz
    number=1 | title=Pilot

# Volumes and numbers.
Series Vol. 2 #12 (2010).cbz
    series=Series | number=12 | volume=2 | year=2010
Series Vol. 2 012 (2010).cbz
    series=Series | number=12 | volume=2 | year=2010
Series v2016 012 - The Title.cbz
    series=Series | number=12 | volume=2016 | title=The Title

# Manga.
Series v01 c003.cbz
    series=Series | number=3 | volume=1
[Group] Series - 01.cbz
    series=Series | number=1 | release=Group
[Group] Series Name - 12v2 [ABCD1234].cbz
    series=Series Name | number=12 | release=Group, ABCD1234
Naruto Vol. 1 Ch. 5 - The Title [MangaGroup].cbz
    series=Naruto | number=5 | volume=1 | title=The Title | release=MangaGroup
Naruto_v01_c003_(2003)_[Group].cbz
    series=Naruto | number=3 | volume=1 | year=2003 | release=Group
Series.Name.v01.c003.5.cbz
    series=Series Name | number=3.5 | volume=1
Berserk - c364 (mag) [dummy].cbz
    series=Berserk | number=364 | release=mag, dummy
Vinland Saga - c001-005 (v01) [Group].cbz
    series=Vinland Saga | number=1 | last_number=5 | volume=1 | release=Group
One Piece v001-003 (2003) (Digital) (AnHeroGold-Empire).cbz
    series=One Piece | volume=1 | last_volume=3 | year=2003 | release=Digital, AnHeroGold-Empire
Chainsaw Man 097 (2022) (Digital) (Valenca).cbz
    series=Chainsaw Man | number=97 | year=2022 | release=Digital, Valenca
Komi Can't Communicate c012x1.cbz
    series=Komi Can't Communicate | number=12x1
Kaguya-sama - Love Is War - c001.cbz
    series=Kaguya-sama - Love Is War | number=1
Solo Leveling - Episode 12.cbz
    series=Solo Leveling | number=12
[Author] Title (English) [Digital].cbz
    series=Title | language=en | release=Author, Digital
Dr. Stone v12.cbz
    series=Dr. Stone | volume=12
+Anima v01.cbz
    series=+Anima | volume=1
Chapter 012.5 - Title of it.cbz
    number=12.5 | title=Title of it
v03.cbz
    volume=3
Vol.01.cbz
    volume=1
進撃の巨人 第01巻.cbz
    series=進撃の巨人 | volume=1
ワンピース 第3話.cbz
    series=ワンピース | number=3
나 혼자만 레벨업 12화.cbz
    series=나 혼자만 레벨업 | number=12
Наруто Том 1 Глава 5.cbz
    series=Наруто | number=5 | volume=1

# Bandes dessinées and others.
Astérix T03 - Astérix et les Goths.cbz
    series=Astérix | volume=3 | title=Astérix et les Goths
Les Aventures de Tintin - Tome 05 - Le Lotus bleu.cbz
    series=Les Aventures de Tintin | volume=5 | title=Le Lotus bleu
Lucky Luke - 12 - Les Cousins Dalton.cbz
    series=Lucky Luke | number=12 | title=Les Cousins Dalton
Blacksad 01 - Quelque part entre les ombres (2000).cbr
    series=Blacksad | number=1 | title=Quelque part entre les ombres | year=2000
Thorgal T1-5.cbz
    series=Thorgal | volume=1 | last_volume=5
Donald Duck Nr. 12 (1984).cbz
    series=Donald Duck | number=12 | year=1984
Lustiges Taschenbuch Band 123.cbz
    series=Lustiges Taschenbuch | volume=123

# Habits that programs for comics know, too.
Super Strange Yarns (1957) #92 (1969).cbz
    series=Super Strange Yarns | number=92 | volume=1957 | year=1969
The Defenders v1 Annual #01 (1976).cbr
    series=The Defenders Annual | number=1 | volume=1 | year=1976 | format=Annual
Foobar-Man Annual #121 - The Wrath of Foobar-Man, Part 1 of 2.cbz
    series=Foobar-Man Annual | number=121 | title=The Wrath of Foobar-Man, Part 1 of 2 | format=Annual
X-Men, 2021-08-04 (#02).cbz
    series=X-Men | number=2 | year=2021 | month=8 | day=4
Demon 012 (Sep 1973) c2c.cbz
    series=Demon | number=12 | year=1973 | month=9
Kaiju No. 8 036 (2021).cbz
    series=Kaiju No. 8 | number=36 | year=2021
Tower Of God S01 014 (CBT).cbz
    series=Tower Of God | number=14 | volume=1 | release=CBT
To Love Ru v11 Uncensored (Ch.089-097+Omake).cbz
    series=To Love Ru | number=89 | last_number=97 | volume=11 | title=Uncensored
Itoshi no Karin - c001-006x1 (v01) [Scans].cbz
    series=Itoshi no Karin | number=1 | last_number=6 | volume=1 | release=Scans
VanDread-v01-c001[MD].zip
    series=VanDread | number=1 | volume=1 | release=MD
spawn-123.cbz
    series=spawn | number=123
spawn-chapter-123.cbz
    series=spawn | number=123
Daredevil - t6 - 10 - (2019).cbz
    series=Daredevil | number=10 | volume=6 | year=2019
【Group】迷你偶像漫画卷2第25话.cbz
    series=迷你偶像漫画 | number=25 | volume=2 | release=Group
スライム 1-3巻.cbz
    series=スライム | volume=1 | last_volume=3
Max Level Returner เล่มที่ 5.cbz
    series=Max Level Returner | volume=5
Манга 2 Глава.cbz
    series=Манга | number=2

# Names that came through a browser, and names that say next to nothing.
Mickey%20Mouse%20012%20(1950).cbz
    series=Mickey Mouse | number=12 | year=1950
#12.cbz
    number=12
0001.cbz
    number=1
(2019).cbz
    year=2019
.cbz
    nothing
"""
"""Each name, and in the next line what it says."""


@pytest.mark.parametrize(("name", "expected"), table(NAMES))
def test_a_name_says(name: str, expected: dict[str, str]) -> None:
    assert said(parse_name(name)) == expected


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("012", "12"),
        ("000", "0"),
        ("-01", "-1"),
        ("01.50", "1.50"),
        ("½", "0.5"),
        ("1½", "1.5"),
        ("08AU", "8AU"),
        ("¾", "0.75"),
    ],
)
def test_plain_numbers(text: str, plain: str) -> None:
    assert plain_number(text) == plain


@given(st.text(max_size=500) | st.text("()[]{}#-–v c.½0123456789第巻話 _%of", max_size=300))
def test_no_name_raises(name: str) -> None:
    place = parse_place(name, (name, "Vol 1", name))
    for value in (place.name.series, place.name.number, place.name.title, place.name.volume):
        assert value != ""


@pytest.mark.parametrize(
    "name", ["(" * 5000, "0 " * 3000, "- " * 3000, "v1" * 3000, "#" * 9000, "[" + "a" * 9000 + "]", "1-" * 4000]
)
def test_no_name_takes_long(name: str) -> None:
    parse_place(name, (name,) * 100)
