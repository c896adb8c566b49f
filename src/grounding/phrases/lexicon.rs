//! English words that do not stand for things, or not always, by what they do in a sentence.
//!
//! All other words are taken for nouns, which is what an answer's open words mostly are.

/// Words that open a noun phrase.
const DETERMINERS: &str = "\
    a all an another any both each either every few her his its many more most much my neither \
    no other our several some such that the their these this those various whose your";

const NUMBERS: &str = "\
    dozen eight eleven five four hundred hundreds nine one seven six ten thousand thousands \
    three twelve twenty two";

const PREPOSITIONS: &str = "\
    about above across after against along alongside amid among amongst around as at atop before \
    behind below beneath beside besides between beyond by despite down during except for from in \
    inside into like near next of off on onto opposite out outside over past per since than \
    through throughout to toward towards under underneath until up upon via with within without";

/// Forms of "to be": what stands bare after them may be said of the subject, and name nothing.
const COPULAS: &str = "am are aren't be been being is isn't was wasn't were weren't";

const AUXILIARIES: &str = "\
    can cannot could did do does had has have having may might must shall should will would";

/// Pronouns, conjunctions, question words, answers and exclamations: they end a noun phrase and
/// are part of none.
const OTHERS: &str = "\
    although anybody anyone anything because but everybody everyone everything he hello here \
    herself hi him himself how i if it itself me mine nobody none nor not nothing ok okay ones \
    others ours please she so somebody someone something sorry theirs them themselves then there \
    they though unless us we what whatever when where whether which while who whom why yes yet \
    you yours";

const ADVERBS: &str = "\
    again ago almost alone already also always apart aside away else enough even ever far \
    forward however indoors instead just maybe never now often only outdoors perhaps quite \
    rather really somewhat soon still together too very well";

/// Words in -ly that name things.
const LY_NOUNS: &str = "\
    assembly belly bully butterfly doily dragonfly family firefly fly holly italy jelly \
    jellyfish lily monopoly rally reply supply trolley";

/// Words in -ly that tell what a thing is like.
const LY_ADJECTIVES: &str = "curly elderly friendly likely lively lonely lovely silly ugly";

const ADJECTIVES: &str = "\
    able ancient asleep available aware bad bare beige best better big black blank blond blonde \
    blue blurry bright broad brown bushy busy calm certain cheap circular clean clear closed \
    cloudy cold colorful colourful common complete cool creamy crunchy cute cylindrical dark \
    deep delicious dense different dirty distant dry dusty early eastern easy elegant empty fat \
    few fine flat fluffy foggy fresh full funny furry fuzzy giant good grassy gray great green \
    grey hairy happy hard healthy heavy high hot huge identical indoor juicy large late leafy \
    little long low main metallic modern muddy narrow natural new nice northern old opaque open \
    outdoor oval own pale pink plain pointy pretty purple ready real rectangular red rich ripe \
    rocky rough round rural rusty sad same sandy shallow sharp shiny short similar simple sleepy \
    slim small smooth snowy soft southern spicy spiky spotty steep sticky strange striped strong \
    sunny sure sweet tabby tall tan tasty thick thin tiny traditional transparent triangular \
    tropical turquoise typical unclear unusual urban vertical violet visible warm wavy western \
    wet white whole wide wild wooden woolen wrong yellow young";

/// Things that also name a colour, a shape or a stuff: adjectives after "to be".
const COLOURS: &str = "bronze cream gold lavender maroon orange peach rose silver square";

/// Words that end like adjectives and name things.
const LIKE_ADJECTIVES: &str = "cable constable native olive stable table vegetable";

const ADJECTIVE_ENDINGS: &str = "able ful ible ive less like ous sized";

/// Verbs that are nouns in no form, in their base form.
const VERBS: &str = "\
    appear ask believe belong bring carry chase come consist contain depict describe dig eat \
    enjoy explore fetch find follow get give go grow hang hold identify include indicate keep \
    know lean make overlook perform prepare put read reflect represent resemble say see seem \
    serve shine sing sit suggest surround take tell think throw want wear write";

/// Verbs that are nouns as well; what stands before tells.
const NOUN_VERBS: &str = "\
    approach bark bite blow catch climb cover crawl cross cut dance display dive drink drive \
    face feature fill float fly gaze hit jump kick laugh lay leap lick lie look move need paddle \
    play point pose pour pull push reach rest ride run show sleep smile splash stand stare surf \
    swim swing talk travel try turn use walk watch work";

/// Past forms and participles that do not end in -ed.
const PAST: &str = "\
    ate bitten brought came caught chosen driven drove dug eaten fallen flew flown found gave \
    given gone got grew grown held hung kept knew known laid made ran ridden rode said sang sat \
    saw seen shown slept stood swam taken thought threw thrown told took went wore worn wrote";

/// Participles that do not end in -ed and often stand before a noun.
const PARTICIPLES: &str = "broken built cut frozen hidden sliced torn woven written";

/// Words in -ing that name things.
const ING_NOUNS: &str = "\
    awning bearing building carving ceiling clothing covering crossing drawing dressing duckling \
    dumpling earring engraving evening filling flooring frosting herring icing king landing \
    lettering lighting lightning lining marking morning opening painting pudding railing ring \
    seasoning seedling setting sibling sling spring starling stocking string stuffing swing \
    topping viking wedding wing wiring";

/// Words in -ed that name things.
const ED_NOUNS: &str = "\
    bed breed deed feed flatbed flowerbed moped reed seaweed seed shed sled speed steed \
    watershed weed";

/// A word in -ing that with the word after it names one thing.
const COMPOUNDS: &[(&str, &str)] = &[
    ("baking", "dish sheet tray powder pan"),
    ("boxing", "glove ring match"),
    ("chewing", "gum"),
    ("climbing", "frame wall rope"),
    ("cooking", "pot pan oil"),
    ("cutting", "board"),
    ("dining", "table room chair area set"),
    ("fishing", "boat rod pole net line"),
    ("frying", "pan"),
    ("hiking", "boot trail path pole"),
    ("knitting", "needle"),
    ("living", "room"),
    ("mixing", "bowl"),
    ("parking", "lot meter space garage area"),
    ("playing", "card field"),
    ("rocking", "chair horse"),
    ("rolling", "pin hill"),
    ("running", "shoe track"),
    ("serving", "dish spoon tray"),
    ("sewing", "machine needle"),
    ("shopping", "bag cart basket center centre mall"),
    ("sleeping", "bag"),
    ("swimming", "pool trunks cap"),
    ("vending", "machine"),
    ("walking", "stick path trail"),
    ("washing", "machine"),
    ("wrapping", "paper"),
];

/// Participles that with the noun before them tell what a thing is like: "snow covered".
const COMPOUND_PARTICIPLES: &str = "\
    capped colored coloured covered filled flavored flavoured lined patterned shaped sized \
    topped";

/// Nouns that do not name a thing in the picture.
const NAMELESS: &str = "\
    addition angle answer back background bottom case center centre close close-up closeup color \
    colour corner day detail direction distance edge end example fact foreground front image \
    instance item left lot middle moment name night object order part photo photograph picture \
    portion position question range rest right scene shape shot side size snapshot style thing \
    time top use view way";

/// Nouns that with "of" only say how many or which kind.
const QUANTITIES: &str = "\
    array bit bunch cluster collection couple crowd dozen flock group handful herd kind lot \
    number pair piece pile plenty row set slice sort stack type variety";

/// Plurals that do not end in -s.
const PLURALS: &str = "cattle children feet geese men mice people police sheep teeth women";

/// What a word is by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    Determiner,
    Number,
    Adjective,
    /// Of the list of things that also name a colour or a stuff.
    Colour,
    Noun,
    /// A noun with `'s`.
    Possessive,
    /// A verb's form that is nothing else.
    Verb,
    /// A verb's base form that may be a noun.
    Base,
    /// A verb's form in -s that may be a plural.
    Third,
    /// A word in -ing that may be a verb or tell what a thing is like.
    Gerund,
    /// A word in -ed, or another participle, likewise.
    Participle,
    Adverb,
    Preposition,
    And,
    Copula,
    Auxiliary,
    /// What ends a phrase and is part of none.
    Other,
}

/// Whether `word` is in a list of words between spaces.
fn holds(list: &str, word: &str) -> bool {
    list.split(' ').any(|listed| listed == word)
}

/// What a word, in lower case and with straight apostrophes, is by itself.
pub fn class(word: &str) -> Class {
    let lists: [(&str, Class); 14] = [
        (DETERMINERS, Class::Determiner),
        (NUMBERS, Class::Number),
        (PREPOSITIONS, Class::Preposition),
        (COPULAS, Class::Copula),
        (AUXILIARIES, Class::Auxiliary),
        (OTHERS, Class::Other),
        (ADVERBS, Class::Adverb),
        (ADJECTIVES, Class::Adjective),
        (LY_ADJECTIVES, Class::Adjective),
        (COLOURS, Class::Colour),
        (PARTICIPLES, Class::Participle),
        (PAST, Class::Verb),
        (VERBS, Class::Verb),
        (NOUN_VERBS, Class::Base),
    ];
    if let Some((_, class)) = lists.iter().find(|(words, _)| holds(words, word)) {
        return *class;
    }
    if matches!(word, "and" | "or") {
        return Class::And;
    }
    if let Some((stem, ending)) = word.rsplit_once('\'') {
        return match ending {
            "s" if matches!(class(stem), Class::Noun | Class::Possessive | Class::Gerund) => {
                Class::Possessive
            }
            // "it's", "that's", "there's": what follows is said of the subject.
            "s" | "re" | "m" => Class::Copula,
            _ => Class::Auxiliary,
        };
    }
    by_shape(word)
}

fn by_shape(word: &str) -> Class {
    let ends = |ending: &str| word.len() >= ending.len() + 2 && word.ends_with(ending);
    if word.starts_with(|first: char| first.is_ascii_digit()) {
        return Class::Number;
    }
    if let Some((first, last)) = word.rsplit_once('-') {
        let inner = [class(first), class(last)];
        return match inner {
            [_, Class::Participle | Class::Gerund | Class::Adjective | Class::Verb] => {
                Class::Adjective
            }
            [Class::Number, _] => Class::Adjective,
            _ => Class::Noun,
        };
    }
    if is_third(VERBS, word) {
        return Class::Verb;
    }
    if is_third(NOUN_VERBS, word) {
        return Class::Third;
    }
    if ends("ing") && !holds(ING_NOUNS, &singular(word)) && !word.ends_with("thing") {
        return Class::Gerund;
    }
    if ends("ed") && !holds(ED_NOUNS, word) {
        return Class::Participle;
    }
    if ends("ly") && !holds(LY_NOUNS, word) {
        return Class::Adverb;
    }
    let adjective = ADJECTIVE_ENDINGS.split(' ').any(ends);
    if adjective && !holds(LIKE_ADJECTIVES, word) { Class::Adjective } else { Class::Noun }
}

/// Whether `word` is the form in -s of one of `verbs`.
fn is_third(verbs: &str, word: &str) -> bool {
    let Some(stem) = word.strip_suffix('s') else { return false };
    let sibilant = stem.strip_suffix('e').unwrap_or(stem);
    let y = stem.strip_suffix("ie").map(|stem| format!("{stem}y"));
    [Some(stem), Some(sibilant), y.as_deref()].into_iter().flatten().any(|stem| holds(verbs, stem))
}

/// A noun without its plural ending.
pub fn singular(noun: &str) -> String {
    if let Some(stem) = noun.strip_suffix("ies").filter(|stem| stem.len() > 1) {
        return format!("{stem}y");
    }
    let sibilant = ["shes", "ches", "xes", "sses"].iter().any(|ending| noun.ends_with(ending));
    if sibilant {
        return noun[..noun.len() - 2].to_owned();
    }
    let plural = noun.ends_with('s') && !noun.ends_with("ss") && !noun.ends_with("us");
    if plural { noun[..noun.len() - 1].to_owned() } else { noun.to_owned() }
}

/// Whether a noun is a plural.
pub fn is_plural(noun: &str) -> bool {
    holds(PLURALS, noun) || singular(noun) != noun
}

/// Whether a noun names no thing in the picture.
pub fn is_nameless(noun: &str) -> bool {
    holds(NAMELESS, noun) || holds(NAMELESS, &singular(noun))
}

/// Whether a noun with "of" only says how many or which kind.
pub fn is_quantity(noun: &str) -> bool {
    holds(QUANTITIES, &singular(noun))
}

/// Whether a participle with the noun before it tells what a thing is like.
pub fn closes_compound(participle: &str) -> bool {
    holds(COMPOUND_PARTICIPLES, participle)
}

/// Whether a word in -ing and a noun name one thing together.
pub fn is_compound(gerund: &str, noun: &str) -> bool {
    let nouns = COMPOUNDS.iter().find(|(first, _)| *first == gerund).map(|(_, nouns)| *nouns);
    nouns.is_some_and(|nouns| holds(nouns, noun) || holds(nouns, &singular(noun)))
}
